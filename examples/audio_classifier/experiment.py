"""One run of `train`: from clips to a table of poolings."""

import contextlib
import dataclasses
import hashlib
import shutil
import tempfile
from pathlib import Path

import click
import keras
import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
)

from . import archive, cluster, dataset, distributed, report
from .cluster import Cluster
from .errors import UserError
from .model import build_model, check_native
from .settings import FeatureSettings, Sizes
from .store import Store, batches, compute_features
from .training import History, train


@dataclasses.dataclass(frozen=True)
class Options:
    """What the command line asks for; its help explains each option."""

    data: Path | None
    validation_data: Path | None
    validation_share: float
    clips: int
    poolings: tuple[str, ...]
    epochs: int
    batch_size: int
    strategy: str
    replicas: int
    seed: int
    output: Path
    features: FeatureSettings
    sizes: Sizes


@dataclasses.dataclass(frozen=True)
class Part:
    """Clips to train or to validate with.

    Attributes:
        features: Features of all clips that share a store.
        classes: The names of the classes.
        labels: Class number of each of these.
        rows: Which of them belong to this part.
    """

    features: np.ndarray
    classes: list[str]
    labels: np.ndarray
    rows: np.ndarray

    def batches(self, batch_size: int, seed: int | None = None) -> tf.data.Dataset:
        """Features and one-hot labels, shuffled if there is a seed."""
        one_hot = np.eye(len(self.classes), dtype=np.float32)[self.labels]
        return batches(self.features, one_hot, self.rows, batch_size, seed)


def run(options: Options) -> None:
    """Trains all poolings and writes what came out."""
    _check_output(options.output)
    here = cluster.join(options.strategy, options.replicas)
    if options.batch_size % here.workers:
        raise UserError(
            f"--batch-size must be a multiple of the {here.workers} workers, which "
            f"share each batch; received {options.batch_size}."
        )
    if "statpool" in options.poolings:
        check_native()
    console = Console(quiet=not here.is_chief)
    training, validation = _load(options, here, console)
    _print_counts(training, validation, here)
    share = float(np.mean(validation.labels[validation.rows] == 0))
    histories = []
    for pooling in options.poolings:
        network, history = _train(pooling, options, here, training, validation, console)
        histories.append(history)
        if here.is_chief:
            _write(options, histories, share, network)
    _forget(_remembered(options, here))
    if not here.is_chief:
        return
    console.print(report.table(histories))
    click.echo(f"Always saying {training.classes[0]!r} would be {share:.1%} right.")
    click.echo(f"results.json, learning_curves.png and models: {options.output}")


def _check_output(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise UserError(
            f"Cannot write to the output folder {str(folder)!r}: {error.strerror}."
        ) from error


def _load(options: Options, here: Cluster, console: Console) -> tuple[Part, Part]:
    """Returns this worker's clips, to train and to validate with."""
    source = str(options.data)
    if options.data is None:
        clips = dataset.synthetic_clips(options.clips, options.seed)
    else:
        clips = _scan(options.data, options)
    classes = dataset.class_names(clips, source)  # before the long computation
    clips = here.share(clips)
    if options.validation_data is None:
        store = _features(clips, options, console, "features")
        if here.workers == 1:  # what others can read of a class isn't known here
            classes = dataset.class_names(store.clips, source)
        whole = _part(store, classes)
        parts = dataset.split(whole.labels, options.validation_share, options.seed)
        training, validation = (dataclasses.replace(whole, rows=p) for p in parts)
        return training, validation
    others = _scan(options.validation_data, options)
    dataset.check_same_classes(clips, others)
    store = _features(clips, options, console, "features")
    other_store = _features(here.share(others), options, console, "validation features")
    if here.workers == 1:
        classes = dataset.class_names(store.clips, source)
        dataset.check_same_classes(store.clips, other_store.clips)
    return _part(store, classes), _part(other_store, classes)


def _part(store: Store, classes: list[str]) -> Part:
    """All clips of a store."""
    labels = [classes.index(clip.class_name) for clip in store.clips]
    return Part(store.features, classes, np.array(labels), np.arange(len(labels)))


def _scan(folder: Path, options: Options) -> list[dataset.Clip]:
    found = dataset.scan_folder(folder, options.features.seconds)
    if found.ignored:
        click.echo(
            f"Left out, not named like audio: {len(found.ignored)}, "
            f"such as {click.format_filename(found.ignored[0])}"
        )
    return found.clips


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description:<20}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[status]}"),
        console=console,
    )


def _features(
    clips: list[dataset.Clip], options: Options, console: Console, title: str
) -> Store:
    with _progress(console) as progress:
        task = progress.add_task(title, total=len(clips), status="")
        store = compute_features(
            clips, options.features, options.output, lambda: progress.advance(task)
        )
    if store.skipped:
        click.echo(f"Skipped {len(store.skipped)} of {len(clips)} files:")
        for name, reason in store.skipped:
            click.echo(f"  {click.format_filename(name)}: {reason}")
    return store


def _print_counts(training: Part, validation: Part, here: Cluster) -> None:
    if here.workers > 1:
        click.echo(f"Worker {here.index} of {here.workers}:")
    for title, part in (("Training", training), ("Validation", validation)):
        counts = np.bincount(part.labels[part.rows], minlength=len(part.classes))
        listed = ", ".join(map("{} {}".format, counts, part.classes))
        click.echo(f"{title}: {counts.sum()} clips ({listed})")


def _train(
    pooling: str,
    options: Options,
    here: Cluster,
    training: Part,
    validation: Part,
    console: Console,
) -> tuple[keras.Model, History]:
    # The same weights, dropout and order of clips for every pooling.
    keras.utils.set_random_seed(options.seed)
    with here.strategy.scope():
        network = build_model(
            pooling,
            training.features.shape[1:],
            len(training.classes),
            options.sizes,
        )
    size = options.batch_size // here.workers
    clips = training.batches(size, options.seed)
    with _progress(console) as progress:
        task = progress.add_task(pooling, total=len(clips) * options.epochs, status="")

        def show(logs: dict[str, float]) -> None:
            status = f"loss {logs['loss']:.3f}, val accuracy {logs['val_accuracy']:.1%}"
            progress.update(task, status=status)

        watched = {"on_batch": lambda: progress.advance(task), "on_epoch": show}
        if here.workers == 1:
            epochs, seconds = train(
                network, clips, validation.batches(size), options.epochs, **watched
            )
        else:
            epochs, seconds = distributed.train(
                network,
                here.strategy,
                lambda epoch: training.batches(size, options.seed + epoch),
                validation.batches(size),
                options.epochs,
                _remembered(options, here) / pooling,
                **watched,
            )
    return network, History(pooling, training.classes, epochs, seconds)


def _remembered(options: Options, here: Cluster) -> Path:
    """Where this worker keeps its checkpoints until the run has ended."""
    asked = hashlib.sha256(repr(options).encode()).hexdigest()[:12]
    return options.output / "unfinished" / f"{asked}-{here.index}-of-{here.workers}"


def _forget(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):  # others may still have theirs there
        folder.parent.rmdir()


def _write(
    options: Options, histories: list[History], share: float, network: keras.Model
) -> None:
    """Writes what is known by now, and the model of the last pooling."""
    output, last = options.output, histories[-1]
    try:
        report.write_results(histories, output / "results.json")
        report.write_curves(histories, share, output / "learning_curves.png")
        if last.pooling != "lambda":  # Keras refuses to load Lambda layers
            model = archive.TrainedModel(network, last.classes, options.features)
            archive.save(model, output / f"{last.pooling}.keras")
    except OSError as error:
        raise UserError(f"Cannot write to {str(output)!r}: {error}") from error
