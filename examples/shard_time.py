"""Long sequences cut along time: each device has a part of every sequence.

A small model is trained on two devices, each of which sees half of the steps, and on
one: the same loss, gradients and weights. What the devices tell each other is the
state of their pooling, some [B, C] tensors; no step of x leaves its device, and
backward nothing travels but the gradients of the weights. Usage:

    python examples/shard_time.py
"""

import numpy as np
import tensorflow as tf

from statpool import streaming
from statpool.streaming import State

BATCH, STEPS, FEATURES, CHANNELS, CLASSES = 8, 64, 12, 16, 4
SHARDS, TRAINING_STEPS, RATE = 2, 10, 0.05


def merged_over_shards(state):
    """The state of all steps, on each device, from that of the device's own steps.

    Other devices' states are constants here: each device differentiates its own, and
    together they differentiate all. So one small sum over devices is all they need.
    """
    here = tf.distribute.get_replica_context()
    shards, own = here.num_replicas_in_sync, here.replica_id_in_sync_group
    count = state.count[:, tf.newaxis] + tf.zeros_like(state.max_count)
    packed = tf.stack([tf.cast(f, tf.float64) for f in state._replace(count=count)])
    is_own = tf.equal(tf.range(shards), own)
    mine = tf.where(is_own[:, None, None, None], tf.stop_gradient(packed), 0.0)
    everyone = here.all_reduce("sum", mine)  # [shards, fields, B, C]
    total = None
    for shard in range(shards):
        there = State(*tf.unstack(everyone[shard]))
        there = there._replace(count=there.count[:, 0])
        part = State(
            *(
                tf.where(is_own[shard], field, tf.cast(other, field.dtype))
                for field, other in zip(state, there, strict=True)
            )
        )
        total = part if total is None else streaming.merge(total, part)
    return total


def make_weights(seed=0):
    """The weights of two layers, `[F, C]` and `[2 C, classes]`."""
    random = np.random.default_rng(seed)
    shapes = (FEATURES, CHANNELS), (2 * CHANNELS, CLASSES)
    return [
        tf.Variable(
            random.normal(size=shape, scale=shape[0] ** -0.5).astype("float32"),
            aggregation=tf.VariableAggregation.SUM,
        )
        for shape in shapes
    ]


def train_step(weights, x, labels):
    """One step of gradient descent; returns the loss and the gradient by x."""
    each_step, head = weights
    shards = tf.distribute.get_replica_context().num_replicas_in_sync
    with tf.GradientTape() as tape:
        tape.watch(x)
        hidden = tf.nn.relu(x @ each_step)
        state = streaming.update(streaming.init(BATCH, CHANNELS), hidden)
        if shards > 1:
            state = merged_over_shards(state)
        logits = streaming.result(state, ("mean", "std")) @ head
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        loss = tf.reduce_mean(losses)
    of_each_step, of_head, of_x = tape.gradient(loss, (each_step, head, x))
    # All devices have the same head and states: the sum of their gradients is too much.
    each_step.assign_sub(RATE * of_each_step)
    head.assign_sub(RATE * of_head / shards)
    return loss, of_x


def train(strategy, parts, labels):
    """Returns losses, the last gradient by x, and the weights."""
    with strategy.scope():
        weights = make_weights()
    x = strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(parts[context.replica_id_in_sync_group])
    )
    step = tf.function(lambda x: strategy.run(train_step, (weights, x, labels)))
    losses = []
    for _ in range(TRAINING_STEPS):
        loss, of_x = step(x)
        losses.append([float(one) for one in strategy.experimental_local_results(loss)])
    of_parts = strategy.experimental_local_results(of_x)
    return losses, np.concatenate(of_parts, axis=1), [w.numpy() for w in weights]


def main():
    """Returns what both trainings gave: losses, gradient by x, weights."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    devices = [tf.config.LogicalDeviceConfiguration()] * SHARDS
    tf.config.set_logical_device_configuration(cpu, devices)
    random = np.random.default_rng(1)
    x = random.normal(size=(BATCH, STEPS, FEATURES)).astype("float32")
    labels = random.integers(0, CLASSES, size=BATCH)
    names = [f"CPU:{i}" for i in range(SHARDS)]
    parts = np.split(x, SHARDS, axis=1)
    sharded = train(tf.distribute.MirroredStrategy(names), parts, labels)
    whole = train(tf.distribute.OneDeviceStrategy("CPU:0"), [x], labels)
    for title, (losses, of_x, _) in (("two devices", sharded), ("one", whole)):
        print(
            f"{title}: loss {losses[0]} to {losses[-1]}, gradient {np.abs(of_x).sum()}"
        )
    return sharded, whole


if __name__ == "__main__":
    main()
