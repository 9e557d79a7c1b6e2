"""Times a step on 1, 2 and 4 replicas of one machine: python -m benchmarks.scaling.

The batch is the same for any number of replicas, and so are the cores: on a CPU, whose
replicas are logical devices that share its threads, the times tell what the strategy
adds; on several GPUs, what each of them saves.
"""

import os

# TensorFlow reads it when it is imported: errors only.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import io
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pandas as pd
import tensorflow as tf

import statpool
from benchmarks import environment, formats
from benchmarks.measure import Runner, calibrate, take_rounds

sys.path.append(str(Path(__file__).resolve().parents[1] / "examples"))

_REPLICAS = (1, 2, 4)
_ROUNDS = 3  # in each of which every number of replicas has a process
_ALONE, _MODEL = "pooling alone, 64 x 1500 x 512", "audio classifier, 32 clips"
_IMPLEMENTATIONS = ("native", "composite")
_SECONDS = 6.0  # for either of the two, per process
_COLUMNS = ("what", "implementation", "replicas", "seconds")


@click.command()
@click.option("--replicas", type=int, help="Only that many; prints samples as CSV.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("output/benchmarks/scaling.csv"),
    show_default=True,
)
def main(replicas, output):
    """Measures, prints a table and writes the samples."""
    if replicas:
        _measure(replicas).to_csv(sys.stdout, index=False)
        return
    samples = pd.concat(map(_in_a_process, _REPLICAS * _ROUNDS))
    output.parent.mkdir(parents=True, exist_ok=True)
    samples.to_csv(output, index=False)
    table = samples.pivot_table(
        "seconds", ["what", "implementation"], "replicas", "median"
    )
    click.echo(f"{environment.cpu_name()}, {len(os.sched_getaffinity(0))} cores\n")
    click.echo(table.map(formats.duration).reset_index().to_markdown(index=False))


def _in_a_process(replicas) -> pd.DataFrame:
    """Strategies of several sizes can't share one: TensorFlow mixes up their groups."""
    command = [sys.executable, "-m", "benchmarks.scaling", "--replicas", str(replicas)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return pd.read_csv(io.StringIO(done.stdout))


def _measure(replicas) -> pd.DataFrame:
    strategy = tf.distribute.MirroredStrategy(_devices(replicas))
    rows = []
    for what, make in ((_ALONE, _pooling), (_MODEL, _classifier)):
        contenders = {
            name: calibrate(make(strategy, name), 0.1) for name in _IMPLEMENTATIONS
        }
        take_rounds(list(contenders.values()), _SECONDS)
        rows += [
            (what, name, replicas, seconds)
            for name, samples in contenders.items()
            for seconds in samples.seconds
        ]
    return pd.DataFrame(rows, columns=_COLUMNS)


def _devices(count) -> list[str]:
    """GPUs, or parts of the CPU."""
    if gpus := tf.config.list_physical_devices("GPU"):
        return [f"GPU:{i}" for i in range(min(count, len(gpus)))]
    from audio_classifier import cluster

    return cluster.parts_of_the_cpu(count)


def _pooling(strategy, implementation) -> Runner:
    """Forward and gradient, each replica with its share of the batch."""
    batch = 64 // strategy.num_replicas_in_sync
    generator = np.random.default_rng(0)

    def share(_):
        return tf.constant(generator.standard_normal((batch, 1500, 512), np.float32))

    def pool(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = statpool.global_stats(x, implementation=implementation)
        return tape.gradient(y, x)

    x = strategy.experimental_distribute_values_from_function(share)
    step = tf.function(lambda: strategy.run(pool, (x,)))

    def run(count):
        for _ in range(count):
            gradients = strategy.experimental_local_results(step())
        if count:
            [gradient[0, 0, 0].numpy() for gradient in gradients]

    return Runner(run)


def _classifier(strategy, implementation) -> Runner:
    """A training step of the example, its reduction among replicas included."""
    from audio_classifier import distributed, model, settings

    sizes, shape = settings.Sizes(), (2580, 128)
    with strategy.scope(), statpool.force_implementation(implementation):
        network = model.build_model("statpool", shape, 8, sizes)
    loop = distributed.Loop(network, strategy)
    batch = 32 // strategy.num_replicas_in_sync
    x = np.random.default_rng(0).standard_normal((batch, *shape), np.float32)
    y = np.eye(8, dtype=np.float32)[np.arange(batch) % 8]
    clips = tf.data.Dataset.from_tensor_slices((x, y)).batch(batch).cache().repeat()
    steps = loop.learn(clips)

    def run(count):
        with statpool.force_implementation(implementation):
            for _ in range(count):
                sums = next(steps)
        if count:
            sums.numpy()

    return Runner(run)


if __name__ == "__main__":
    main()
