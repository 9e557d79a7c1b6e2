"""Trains a small model as test_distribute.py asks for: part, then folder.

The part is "single", one replica; "mirrored", two logical devices of the CPU; or
"worker", one of several processes. The weights after each case go to the folder.
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import keras
import numpy as np
import tensorflow as tf

import statpool

# The last of four batches has one example, so all replicas but one get none of it.
EXAMPLES, BATCH, EPOCHS = 25, 8, 3
STEPS, FEATURES, CLASSES = 12, 6, 3
# Keras' policy of dtypes, and whether XLA compiles what a replica computes.
CASES = {"plain": ("float32", False), "mixed": ("mixed_bfloat16", False)}
CASES["jit"] = ("float32", True)


def batches():
    """Sequences with zeros that Masking hides, lengths, and classes."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(EXAMPLES, STEPS, FEATURES)).astype(np.float32)
    x[rng.random((EXAMPLES, STEPS)) < 0.3] = 0
    lengths = rng.integers(0, STEPS + 1, size=EXAMPLES).astype(np.int32)
    labels = rng.integers(0, CLASSES, size=EXAMPLES)
    return tf.data.Dataset.from_tensor_slices((x, lengths, labels)).batch(BATCH)


def build_model(dtype):
    """A model that pools under a mask and lengths, by the op or not at all."""
    keras.utils.set_random_seed(1)
    policy = keras.DTypePolicy(dtype)
    x, lengths = keras.Input((STEPS, FEATURES)), keras.Input((), dtype="int32")
    hidden = keras.layers.Masking(dtype=policy)(x)
    hidden = keras.layers.Dense(5, activation="tanh", dtype=policy)(hidden)
    pooling = statpool.GlobalStatsPooling1D(implementation="native", dtype=policy)
    outputs = keras.layers.Dense(CLASSES)(pooling(hidden, lengths=lengths))
    return keras.Model([x, lengths], outputs)


def train(strategy, dtype, jit):
    """Returns the weights."""
    with strategy.scope():
        model = build_model(dtype)
        optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
        optimizer.build(model.trainable_variables)

    @tf.function(jit_compile=jit)
    def gradients(x, lengths, labels, count):
        with tf.GradientTape() as tape:
            logits = model([x, lengths], training=True)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            loss = tf.reduce_sum(losses) / count
        return tape.gradient(loss, model.trainable_variables)

    def learn(x, lengths, labels):
        context = tf.distribute.get_replica_context()
        count = context.all_reduce("SUM", tf.cast(tf.shape(labels)[0], tf.float32))
        found = gradients(x, lengths, labels, count)
        optimizer.apply(found, model.trainable_variables)

    step = tf.function(lambda batch: strategy.run(learn, batch))
    for _ in range(EPOCHS):
        for batch in strategy.experimental_distribute_dataset(batches()):
            step(batch)
    return model.get_weights()


def main():
    """Runs the part that the arguments name."""
    part, folder = sys.argv[1], Path(sys.argv[2])
    strategy, cases = tf.distribute.get_strategy(), dict(CASES)
    if part == "mirrored":
        del cases["jit"]  # XLA refuses the second device's weights: docs/distributed.md
        (cpu,) = tf.config.list_physical_devices("CPU")
        two = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(cpu, two)
        strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    elif part == "worker":
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
        part = f"worker-{strategy.cluster_resolver.task_id}"
    for name, case in cases.items():
        np.savez(folder / f"{name}-{part}.npz", *train(strategy, *case))


if __name__ == "__main__":
    main()
