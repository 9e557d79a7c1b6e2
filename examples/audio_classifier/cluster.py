"""Which replicas train together: one, those of a machine, or several workers."""

import contextlib
import dataclasses
import re
from collections.abc import Iterator

import click
import tensorflow as tf

from .errors import UserError


@dataclasses.dataclass(frozen=True)
class Cluster:
    """This process among all that train the same network.

    Attributes:
        strategy: TensorFlow's; the one without a name for a single replica.
        index: Number of this worker.
        workers: How many there are.
    """

    strategy: tf.distribute.Strategy
    index: int = 0
    workers: int = 1

    @property
    def is_chief(self) -> bool:
        """Whether this worker shows progress and writes the results."""
        return self.index == 0

    def share(self, everything: list) -> list:
        """This worker's part of a list."""
        return everything[self.index :: self.workers]


def join(strategy: str, replicas: int) -> Cluster:
    """Makes this process a member; before anything else of TensorFlow runs.

    Args:
        strategy: One of `settings.STRATEGIES`; several workers are listed in TF_CONFIG.
        replicas: Of the CPU when mirrored, where there are no GPUs.
    """
    if strategy == "multi-worker":
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
        resolver = strategy.cluster_resolver
        workers = resolver.cluster_spec().num_tasks("worker")
        return Cluster(strategy, resolver.task_id, workers)
    if strategy == "mirrored":
        return Cluster(tf.distribute.MirroredStrategy(_devices(replicas)))
    return Cluster(tf.distribute.get_strategy())


def _devices(replicas: int) -> list[str] | None:
    """None for all GPUs; where there are none, parts of the CPU."""
    if tf.config.list_physical_devices("GPU"):
        return None
    return parts_of_the_cpu(replicas)


def parts_of_the_cpu(replicas: int) -> list[str]:
    """Divides the CPU into logical devices, before TensorFlow uses it."""
    (cpu,) = tf.config.list_physical_devices("CPU")
    logical = [tf.config.LogicalDeviceConfiguration()] * replicas
    tf.config.set_logical_device_configuration(cpu, logical)
    return [f"CPU:{i}" for i in range(replicas)]


@contextlib.contextmanager
def naming_lost_workers() -> Iterator[None]:
    """Turns the errors of workers that are gone into a sentence.

    Raises:
        UserError: Naming them.
    """
    try:
        yield
    except (
        tf.errors.UnavailableError,
        tf.errors.AbortedError,
        tf.errors.CancelledError,
        tf.errors.InternalError,
    ) as error:
        lost = sorted(
            set(re.findall(r"/job:worker/replica:0/task:(\d+)$", error.message, re.M))
        )
        if not lost:
            raise
        click.echo(error.message, err=True)
        raise UserError(
            f"Worker {' and '.join(lost)} cannot be reached any more. Start all "
            "workers again with the same options: training goes on where all had "
            "finished an epoch."
        ) from error
