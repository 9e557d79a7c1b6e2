"""A trained model in one file, together with what `predict` must know."""

import dataclasses
import json
import os
import tempfile
import zipfile
from pathlib import Path

import keras

import statpool

from .errors import UserError
from .settings import FeatureSettings

# A .keras file is a zip archive; Keras leaves members alone that it doesn't know.
MEMBER = "audio_classifier.json"
LAYERS = {"GlobalStatsPooling1D": statpool.GlobalStatsPooling1D}


@dataclasses.dataclass(frozen=True)
class TrainedModel:
    """A network with its classes and the features it was trained on."""

    network: keras.Model
    classes: list[str]
    settings: FeatureSettings


def save(model: TrainedModel, path: Path) -> None:
    """Writes the model, complete or not at all."""
    extra = {"classes": model.classes, "features": dataclasses.asdict(model.settings)}
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        unfinished = Path(folder) / "model.keras"
        model.network.save(unfinished)
        with zipfile.ZipFile(unfinished, "a") as archive:
            archive.writestr(MEMBER, json.dumps(extra, indent=2))
        os.replace(unfinished, path)


def load(path: Path) -> TrainedModel:
    """Reads a model that `save` wrote.

    Raises:
        UserError: The file is missing or is something else.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            extra = json.loads(archive.read(MEMBER))
        settings = FeatureSettings(**extra["features"])
        network = keras.saving.load_model(path, LAYERS, compile=False)
        return TrainedModel(network, list(extra["classes"]), settings)
    except (OSError, zipfile.BadZipFile, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{str(path)!r} is not a model that `train` saved: {error}"
        ) from error
