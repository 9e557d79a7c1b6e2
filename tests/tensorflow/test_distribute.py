"""Training under tf.distribute: the weights are those of a single replica."""

import functools
import json
import multiprocessing
import os
import socket

import keras
import numpy as np
import pytest
import tensorflow as tf

import statpool

# The last of four batches has one example, so all replicas but one get none of it.
EXAMPLES, BATCH, EPOCHS = 25, 8, 3
STEPS, FEATURES, CLASSES = 12, 6, 3
# Keras' policy of dtypes, and whether XLA compiles what a replica computes.
CASES = {"plain": ("float32", False), "mixed": ("mixed_bfloat16", False)}
CASES["jit"] = ("float32", True)
# Sums have another order; in bfloat16 each replica rounds its share of a gradient.
BOUND = {"plain": 1e-6, "jit": 1e-6, "mixed": 2e-2}


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


def weights_of(cluster, part):
    """The part and the weights of each case, in a process of its own.

    The part is "single", one replica; "mirrored", two logical devices of the CPU; or
    the number of a worker.
    """
    strategy, cases = tf.distribute.get_strategy(), dict(CASES)
    if part == "mirrored":
        del cases["jit"]  # XLA refuses the second device's weights: docs/distributed.md
        (cpu,) = tf.config.list_physical_devices("CPU")
        two = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(cpu, two)
        strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    elif part != "single":
        task = {"type": "worker", "index": part}
        os.environ["TF_CONFIG"] = json.dumps({"cluster": cluster, "task": task})
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    return part, {name: train(strategy, *case) for name, case in cases.items()}


@pytest.fixture(scope="module")
def weights():
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    cluster = {"worker": [f"127.0.0.1:{s.getsockname()[1]}" for s in servers]}
    for server in servers:
        server.close()
    parts, spawn = ("single", "mirrored", 0, 1), multiprocessing.get_context("spawn")
    with spawn.Pool(len(parts), maxtasksperchild=1) as pool:  # ends all if one fails
        train_part = functools.partial(weights_of, cluster)
        return dict(pool.imap_unordered(train_part, parts))


@pytest.mark.parametrize(
    ("part", "case"), [(0, c) for c in CASES] + [("mirrored", c) for c in CASES][:2]
)
def test_weights_are_those_of_one_replica(part, case, weights):
    for a, b in zip(weights[part][case], weights["single"][case], strict=True):
        assert np.abs(a - b).max() <= BOUND[case] * np.abs(b).max()


@pytest.mark.parametrize("case", CASES)
def test_workers_agree_bit_for_bit(case, weights):
    np.testing.assert_equal(weights[0][case], weights[1][case])
