"""One run of `train`: from clips to a table of poolings."""

import dataclasses
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

from . import archive, dataset, report
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
    if "statpool" in options.poolings:
        check_native()
    console = Console()
    training, validation = _load(options, console)
    _print_counts(training, validation)
    share = float(np.mean(validation.labels[validation.rows] == 0))
    histories = []
    for pooling in options.poolings:
        network, history = _train(pooling, options, training, validation, console)
        histories.append(history)
        _write(options, histories, share, network)
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


def _load(options: Options, console: Console) -> tuple[Part, Part]:
    """Returns the clips to train and to validate with."""
    source = str(options.data)
    if options.data is None:
        clips = dataset.synthetic_clips(options.clips, options.seed)
    else:
        clips = _scan(options.data, options)
    dataset.class_names(clips, source)  # before the long computation
    if options.validation_data is None:
        store = _features(clips, options, console, "features")
        whole = _part(store, dataset.class_names(store.clips, source))
        parts = dataset.split(whole.labels, options.validation_share, options.seed)
        training, validation = (dataclasses.replace(whole, rows=p) for p in parts)
        return training, validation
    others = _scan(options.validation_data, options)
    dataset.check_same_classes(clips, others)
    store = _features(clips, options, console, "features")
    classes = dataset.class_names(store.clips, source)
    other_store = _features(others, options, console, "validation features")
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


def _print_counts(training: Part, validation: Part) -> None:
    for title, part in (("Training", training), ("Validation", validation)):
        counts = np.bincount(part.labels[part.rows], minlength=len(part.classes))
        listed = ", ".join(map("{} {}".format, counts, part.classes))
        click.echo(f"{title}: {counts.sum()} clips ({listed})")


def _train(
    pooling: str,
    options: Options,
    training: Part,
    validation: Part,
    console: Console,
) -> tuple[keras.Model, History]:
    # The same weights, dropout and order of clips for every pooling.
    keras.utils.set_random_seed(options.seed)
    network = build_model(
        pooling,
        training.features.shape[1:],
        len(training.classes),
        options.sizes,
    )
    clips = training.batches(options.batch_size, options.seed)
    with _progress(console) as progress:
        task = progress.add_task(pooling, total=len(clips) * options.epochs, status="")

        def show(logs: dict[str, float]) -> None:
            status = f"loss {logs['loss']:.3f}, val accuracy {logs['val_accuracy']:.1%}"
            progress.update(task, status=status)

        epochs, seconds = train(
            network,
            clips,
            validation.batches(options.batch_size),
            options.epochs,
            on_batch=lambda: progress.advance(task),
            on_epoch=show,
        )
    return network, History(pooling, training.classes, epochs, seconds)


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
