"""One run of `predict`: a class and its probability per file."""

from pathlib import Path

import click
import numpy as np

import statpool

from . import archive
from .audio import read_audio
from .errors import AudioError, UserError
from .features import log_mel


def run(model_path: Path, paths: tuple[Path, ...]) -> None:
    """Prints file, class and probability, separated by tabs.

    Raises:
        UserError: Files could not be read; the others are printed all the same.
    """
    model = archive.load(model_path)
    failed = []
    for path in paths:
        try:
            name, probability = _classify(model, path)
            click.echo(f"{click.format_filename(path)}\t{name}\t{probability:.4f}")
        except statpool.NativeLibraryError as error:
            raise UserError(str(error)) from error
        except AudioError as error:
            failed.append(f"  {click.format_filename(path)}: {error}")
    if failed:
        listed = "\n".join(failed)
        raise UserError(f"No class for {len(failed)} of {len(paths)} files:\n{listed}")


def _classify(model: archive.TrainedModel, path: Path) -> tuple[str, float]:
    samples, rate = read_audio(path, model.settings.seconds)
    features = log_mel(samples, rate, model.settings)
    probabilities = model.network(features[np.newaxis], training=False).numpy()[0]
    if not np.isfinite(probabilities).all():
        raise AudioError("the model answers NaN, so its training had failed")
    best = int(probabilities.argmax())
    return model.classes[best], float(probabilities[best])
