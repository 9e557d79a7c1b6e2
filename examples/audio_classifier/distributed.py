"""Training on several workers, and going on after one of them died.

Keras' `fit` doesn't know MultiWorkerMirroredStrategy (docs/distributed.md): this is the
same epoch, step by step. Every worker reads its own clips; a step takes the mean over
the clips of all of them, also where some have none left.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path

import keras
import tensorflow as tf

from .training import KEYS, nan_weights


class Loop:
    """The steps of an epoch, each a function that all workers enter together."""

    def __init__(self, network: keras.Model, strategy: tf.distribute.Strategy):
        self._network = network
        self._strategy = strategy
        with strategy.scope():
            network.optimizer.build(network.trainable_variables)
        self.learn = self._over(self._learn)
        self.judge = self._over(self._judge)

    def smallest(self, number: int) -> int:
        """The smallest of the workers' numbers."""

        def gather():
            context = tf.distribute.get_replica_context()
            return context.all_gather(tf.constant([number]), axis=0)

        everywhere = tf.function(lambda: self._strategy.run(gather))()
        local = self._strategy.experimental_local_results(everywhere)
        return int(tf.reduce_min(local[0]))

    def _over(self, replica_step):
        """Makes a step that yields sums of loss and hits, and the clips, per batch."""
        strategy = self._strategy

        @tf.function
        def step(batch):
            return strategy.reduce("SUM", strategy.run(replica_step, batch), axis=None)

        def over(batches: tf.data.Dataset):
            for batch in strategy.distribute_datasets_from_function(lambda _: batches):
                yield step(batch)

        return over

    def _learn(self, x, y):
        context = tf.distribute.get_replica_context()
        clips = context.all_reduce("SUM", tf.cast(tf.shape(y)[0], tf.float32))
        weights = self._network.trainable_variables
        with tf.GradientTape() as tape:
            sums = self._sums(x, y, training=True)
            loss = sums[0] / clips
        slopes = tape.gradient(loss, weights)  # which the optimizer sums up
        self._network.optimizer.apply_gradients(zip(slopes, weights, strict=True))
        return sums

    def _judge(self, x, y):
        return self._sums(x, y, training=False)

    def _sums(self, x, y, training):
        answers = self._network(x, training=training)
        losses = keras.losses.categorical_crossentropy(y, answers)
        hits = keras.metrics.categorical_accuracy(y, answers)
        clips = tf.ones_like(losses)
        return tf.stack([tf.reduce_sum(part) for part in (losses, hits, clips)])


class Checkpoints:
    """What a worker remembers of the last two epochs, in a folder of its own."""

    def __init__(self, network: keras.Model, folder: Path):
        # Among them the state of the generators that dropout draws from.
        everything = [*network.variables, *network.optimizer.variables]
        state = tf.train.Checkpoint(variables=[v.value for v in everything])
        self._manager = tf.train.CheckpointManager(
            state, str(folder), max_to_keep=2, checkpoint_name="epoch"
        )
        self._history = folder / "history.json"

    def save(self, rows: list[dict[str, float]], seconds: list[float]) -> None:
        """Remembers the state after as many epochs as there are rows."""
        self._manager.save(checkpoint_number=len(rows))
        unfinished = self._history.with_suffix(".new")
        unfinished.write_text(json.dumps([rows, seconds]))
        unfinished.replace(self._history)

    def epochs(self) -> int:
        """How many epochs the last state has seen."""
        if not self._history.exists():
            return 0
        return len(json.loads(self._history.read_text())[0])

    def restore(self, epochs: int) -> tuple[list[dict[str, float]], list[float]]:
        """Goes back to the state after that many."""
        if not epochs:
            return [], []
        (path,) = (p for p in self._manager.checkpoints if p.endswith(f"-{epochs}"))
        self._manager.checkpoint.restore(path).assert_consumed()
        rows, seconds = json.loads(self._history.read_text())
        return rows[:epochs], seconds[:epochs]


def train(
    network: keras.Model,
    strategy: tf.distribute.Strategy,
    training: Callable[[int], tf.data.Dataset],
    validation: tf.data.Dataset,
    epochs: int,
    folder: Path,
    on_batch: Callable[[], None],
    on_epoch: Callable[[dict], None],
) -> tuple[list[dict[str, float]], list[float]]:
    """Does what `training.train` does, on all workers.

    Args:
        network: Built and compiled in the strategy's scope.
        strategy: A MultiWorkerMirroredStrategy.
        training: This worker's batches in an epoch of that number.
        validation: This worker's batches.
        epochs: How many; those that are remembered count.
        folder: For this worker's checkpoints.
        on_batch: Called after each step.
        on_epoch: Called after each epoch.
    """
    loop = Loop(network, strategy)
    checkpoints = Checkpoints(network, folder)
    rows, seconds = checkpoints.restore(loop.smallest(checkpoints.epochs()))
    for epoch in range(len(rows), epochs):
        start = time.perf_counter()
        learnt = judged = tf.zeros(3)
        for sums in loop.learn(training(epoch)):
            learnt += sums
            on_batch()
        for sums in loop.judge(validation):
            judged += sums
        means = [*(learnt[:2] / learnt[2]), *(judged[:2] / judged[2])]
        rows.append(dict(zip(KEYS, map(float, means), strict=True)))
        rows[-1]["nan_weights"] = nan_weights(network)
        seconds.append(time.perf_counter() - start)
        checkpoints.save(rows, seconds)
        on_epoch(rows[-1])
    return rows, seconds
