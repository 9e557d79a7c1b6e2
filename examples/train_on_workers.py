"""Trains one model on several workers, of which any may die without a loss.

    python examples/train_on_workers.py
    TF_CONFIG='{"cluster": ..., "task": ...}' python examples/train_on_workers.py

The first form starts the workers on this machine, the second is one worker of several
machines. Keras' `fit` doesn't know MultiWorkerMirroredStrategy (docs/distributed.md):
`Trainer` is the loop to copy. The first worker writes a checkpoint after each epoch;
after a death the same command goes on from there. So all must see the folder --output.
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

import statpool

STEPS, FEATURES, CLASSES = 100, 4, 3
EXAMPLES, BATCH = 100, 8  # of all workers, of each
SECONDS_TO_NOTICE = 60  # that others wait to learn of a death: TensorFlow takes ten


def batches(workers, index):
    """This worker's examples: tones of a pitch for each class, of any length."""
    rng = np.random.default_rng(0)
    labels = np.arange(EXAMPLES) % CLASSES
    lengths = rng.integers(20, STEPS + 1, EXAMPLES).astype(np.int32)
    time = np.arange(STEPS)[:, np.newaxis] + rng.uniform(0, 99, (EXAMPLES, 1, FEATURES))
    x = np.sin(time * 0.3 * (1 + labels[:, np.newaxis, np.newaxis]))
    x = (x + rng.normal(0, 1, x.shape)).astype(np.float32)
    whole = tf.data.Dataset.from_tensor_slices((x, lengths, labels))
    return whole.shard(workers, index).batch(BATCH)


def build_model():
    """Two inputs, the sequences and how many of their steps count."""
    x = keras.Input((STEPS, FEATURES))
    lengths = keras.Input((), dtype="int32")
    hidden = keras.layers.Conv1D(8, 7, activation="relu", padding="same")(x)
    pooled = statpool.GlobalStatsPooling1D()(hidden, lengths=lengths)
    return keras.Model([x, lengths], keras.layers.Dense(CLASSES)(pooled))


class Trainer:
    """A step takes the mean over the examples of all workers, if one has none too."""

    def __init__(self, strategy):
        self._strategy = strategy
        with strategy.scope():
            keras.utils.set_random_seed(0)
            self.model = build_model()
            self.optimizer = keras.optimizers.Adam(0.01)
            self.optimizer.build(self.model.trainable_variables)

    @tf.function
    def wait_for_all(self):
        """Returns when every worker has come here."""
        context = tf.distribute.get_replica_context
        self._strategy.run(lambda: context().all_reduce("SUM", tf.constant(1)))

    def epoch(self, data):
        """Trains on each batch once; returns the mean loss."""
        sums = tf.zeros(2)
        for batch in self._strategy.distribute_datasets_from_function(lambda _: data):
            sums += self._step(batch)
        return float(sums[0] / sums[1])

    @tf.function
    def _step(self, batch):
        found = self._strategy.run(self._learn, batch)
        return self._strategy.reduce("SUM", found, axis=None)

    def _learn(self, x, lengths, labels):
        context = tf.distribute.get_replica_context()
        count = tf.cast(tf.shape(labels)[0], tf.float32)
        weights = self.model.trainable_variables
        with tf.GradientTape() as tape:
            logits = self.model([x, lengths], training=True)
            loss = tf.reduce_sum(
                tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            )
            mean = loss / context.all_reduce("SUM", count)
        # The optimizer adds up the gradients of all workers.
        self.optimizer.apply(tape.gradient(mean, weights), weights)
        return tf.stack([loss, count])


def train(options, strategy, index):
    """Trains from the last checkpoint to the end."""
    trainer = Trainer(strategy)
    done = tf.Variable(0)  # epochs
    variables = [*trainer.model.variables, *trainer.optimizer.variables]
    state = tf.train.Checkpoint(done=done, variables=[v.value for v in variables])
    folder = options.output / "checkpoints"
    manager = tf.train.CheckpointManager(state, str(folder), max_to_keep=1)
    manager.restore_or_initialize()
    trainer.wait_for_all()  # to have read it, before the first one writes or removes it
    workers = strategy.cluster_resolver.cluster_spec().num_tasks("worker")
    while int(done) < options.epochs:
        loss = trainer.epoch(batches(workers, index))
        done.assign_add(1)
        if index == 0:
            manager.save()
            print(f"epoch {int(done)}: loss {loss:.4f}", flush=True)
    if index == 0:
        trainer.model.save(options.output / "model.keras")
        shutil.rmtree(folder)  # so that the next run begins with the first epoch


def work(options):
    """Trains as the worker that TF_CONFIG names."""
    index = json.loads(os.environ["TF_CONFIG"])["task"]["index"]
    try:
        train(options, tf.distribute.MultiWorkerMirroredStrategy(), index)
    except tf.errors.OpError as error:
        if not (gone := lost_workers(error.message, index)):
            raise
        raise SystemExit(
            f"{error.message}\nWorker {' and '.join(gone)} cannot be reached any more. "
            "Start all workers again: training goes on after the last whole epoch."
        ) from error


def lost_workers(message, index):
    """Returns the numbers of the other workers that an error of TensorFlow's names.

    It names the dead one in different places and forms, and this one as the device
    where the operation ran.
    """
    named = re.findall(r"/job:worker(?:/replica:\d+)?/task:(\d+)", message)
    return sorted({*named} - {str(index)})


def launch(options):
    """Starts all workers here, and says which one failed first."""
    addresses = free_addresses(options.workers)
    workers = []
    for index in range(options.workers):
        task = {"type": "worker", "index": index}
        config = json.dumps({"cluster": {"worker": addresses}, "task": task})
        environment = {**os.environ, "TF_CONFIG": config}
        workers.append(subprocess.Popen([sys.executable, *sys.argv], env=environment))
    while None in (codes := [w.poll() for w in workers]) and not any(codes):
        time.sleep(0.05)
    failed = [(code, index) for index, code in enumerate(codes) if code]
    deadline = time.monotonic() + SECONDS_TO_NOTICE
    for worker in workers:
        with contextlib.suppress(subprocess.TimeoutExpired):
            worker.wait(max(deadline - time.monotonic(), 0))
        worker.kill()  # which an ended process ignores
    if failed:
        # Of two in the same moment the one that a signal ended, with a code below 0.
        code, index = min(failed)
        how = f"was killed by signal {-code}" if code < 0 else f"ended with {code}"
        raise SystemExit(
            f"Worker {index} {how}. The same command goes on after the last epoch."
        )


def free_addresses(count):
    """Returns addresses of this machine where nothing listens."""
    with contextlib.ExitStack() as stack:
        server = socket.create_server
        sockets = [stack.enter_context(server(("127.0.0.1", 0))) for _ in range(count)]
        return [f"127.0.0.1:{free.getsockname()[1]}" for free in sockets]


def main():
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--workers", type=int, default=2, help="without TF_CONFIG")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--output", type=Path, default=Path("output/workers"))
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    work(options) if "TF_CONFIG" in os.environ else launch(options)


if __name__ == "__main__":
    main()
