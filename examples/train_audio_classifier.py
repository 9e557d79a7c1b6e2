"""Trains the audio classifier with several poolings over time and compares them.

Run `train_audio_classifier.py train --help` for the options; examples/README.md tells
what the files it writes hold.
"""

import os
from pathlib import Path

# TensorFlow reads it when it is imported: errors only.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import click
from audio_classifier import workers
from audio_classifier.errors import UserError
from audio_classifier.settings import POOLINGS, STRATEGIES, FeatureSettings, Sizes

FEATURES = FeatureSettings()
SIZES = Sizes()

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
POSITIVE = click.IntRange(min=1)
SHARE = click.FloatRange(0, 1, min_open=True, max_open=True)


class SeveralPoolings(click.Command):
    """Lets one --pooling take several names, as in `--pooling lambda statpool`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Repeats --pooling before each further name."""
        repeated, option = [], ""
        for argument in args:
            if argument.startswith("-"):
                option = argument
            elif option == "--pooling" and repeated[-1] != option:
                repeated.append(option)
            repeated.append(argument)
        return super().parse_args(ctx, repeated)


@click.group(context_settings={"show_default": True})
def main() -> None:
    """Classifies recordings of instruments."""


@main.command(cls=SeveralPoolings)
@click.option("--data", type=FOLDER, help="Folder with one sub-folder per class.")
@click.option("--validation-data", type=FOLDER, help="The same, for validation.")
@click.option(
    "--validation-share",
    type=SHARE,
    default=0.2,
    help="Share of each class for validation, without --validation-data.",
)
@click.option(
    "--clips",
    type=click.IntRange(min=32),
    default=480,
    help="Clips of the synthetic data set, without --data.",
)
@click.option(
    "--pooling",
    "poolings",
    type=click.Choice(POOLINGS),
    multiple=True,
    default=("lambda", "mean-max", "statpool"),
    help="Poolings to train; give several names.",
)
@click.option("--epochs", type=POSITIVE, default=16)
@click.option("--batch-size", type=POSITIVE, default=8)
@click.option(
    "--strategy",
    type=click.Choice(STRATEGIES),
    default="none",
    help="TensorFlow's way to share the batches: among the GPUs of this machine, or "
    "among the workers that TF_CONFIG lists.",
)
@click.option(
    "--replicas",
    type=POSITIVE,
    default=2,
    help="Without GPUs to mirror on, parts of the CPU; without TF_CONFIG, workers to "
    "start on this machine.",
)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("output"),
    help="Folder for results.json, learning_curves.png and the trained models.",
)
@click.option("--frames", type=POSITIVE, default=FEATURES.frames)
@click.option("--mel-bands", type=POSITIVE, default=FEATURES.mel_bands)
@click.option(
    "--sample-rate", type=click.IntRange(1000, 384000), default=FEATURES.sample_rate
)
@click.option(
    "--hop", type=POSITIVE, default=FEATURES.hop, help="Samples between frames."
)
@click.option(
    "--window", type=POSITIVE, default=FEATURES.window, help="Samples per frame."
)
@click.option("--filters", type=POSITIVE, nargs=3, default=SIZES.filters)
@click.option("--kernel-size", type=POSITIVE, default=SIZES.kernel_size)
@click.option(
    "--pool", type=POSITIVE, nargs=3, default=SIZES.pool, help="Max pooling factors."
)
@click.option("--dense", type=POSITIVE, nargs=2, default=SIZES.dense)
@click.option(
    "--dropout", type=click.FloatRange(0, 1, max_open=True), default=SIZES.dropout
)
def train(frames, mel_bands, sample_rate, hop, window, **options) -> None:
    """Trains one network per pooling, each from the same seed."""
    options["features"] = FeatureSettings(frames, mel_bands, sample_rate, hop, window)
    names = ("filters", "kernel_size", "pool", "dense", "dropout")
    options["sizes"] = sizes = Sizes(**{name: options.pop(name) for name in names})
    options["poolings"] = tuple(dict.fromkeys(options["poolings"]))
    if frames < sizes.fewest_frames:
        raise UserError(
            f"--frames must be at least {sizes.fewest_frames} for max pooling by "
            f"{sizes.pool}; received {frames}. Give more --frames or a smaller --pool."
        )
    if options["validation_data"] and not options["data"]:
        raise UserError("--validation-data needs --data as well.")
    if options["strategy"] == "multi-worker" and "TF_CONFIG" not in os.environ:
        workers.run(options["replicas"], options["output"])
        return
    # Only now: TensorFlow takes seconds to import, too long for --help.
    from audio_classifier import cluster, experiment

    with cluster.naming_lost_workers():
        experiment.run(experiment.Options(**options))


@main.command()
@click.option("--model", type=FILE, required=True, help="A .keras file from `train`.")
@click.argument("audio", type=click.Path(path_type=Path), nargs=-1, required=True)
def predict(model, audio) -> None:
    """Prints class and probability of each AUDIO file."""
    from audio_classifier import prediction

    prediction.run(model, audio)


if __name__ == "__main__":
    main()
