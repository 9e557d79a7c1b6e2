"""Trains an audio classifier once per pooling over time, and compares the poolings.

    python examples/train_audio_classifier.py train --pooling lambda statpool

The network is that of the question which statpool answers. What matters is
`pool_over_time`; examples/README.md says what the program reads and writes.
"""

import argparse
import os
import time
from pathlib import Path

# TensorFlow reads it when it is imported: errors only.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from audio_classifier import clips, report
from keras import layers, ops

import statpool

FUSED = {"composite": "composite", "statpool": "auto"}  # with the ReLU before
POOLINGS = ("lambda", "mean-max", *FUSED)
# The layers of the question: filters of each convolution, and how many time steps the
# max pooling after it makes one.
CONVOLUTIONS = ((10, 4), (10, 4), (20, 2))
FEWEST_FRAMES = 32  # of which these leave one step


def pool_over_time(pooling, x, steps):
    """The statistics [B, S * C] of the ReLU of x [B, T, C].

    After `steps` of each clip's T comes padding.
    """
    if pooling in FUSED:
        layer = statpool.GlobalStatsPooling1D(
            input_activation="relu", implementation=FUSED[pooling]
        )
        return layer(x, lengths=steps)
    x = layers.ReLU()(x)
    statistics = [layers.GlobalAveragePooling1D()(x), layers.GlobalMaxPooling1D()(x)]
    if pooling == "lambda":
        # As in the question: the gradient of the root is infinite for a channel of
        # zeros, and infinity times zero is NaN.
        norm = layers.Lambda(lambda x: ops.sqrt(ops.sum(x**2, axis=1)))
        statistics.append(norm(x))
    return layers.Concatenate()(statistics)


def build_model(pooling, input_shape, classes):
    """Builds and compiles the classifier of clips [frames, mel bands]."""
    features = keras.Input(input_shape, name="features")
    frames = keras.Input((), dtype="int32", name="frames")  # that are no padding
    x, steps = features, frames
    for number, (filters, pool) in enumerate(CONVOLUTIONS, 1):
        # The last ReLU comes after its max pooling, which gives the same numbers.
        activation = None if number == len(CONVOLUTIONS) else "relu"
        x = layers.Conv1D(filters, 4, activation=activation, padding="same")(x)
        x = layers.MaxPooling1D(pool)(x)
        steps = (steps + pool - 1) // pool
    # The last steps of a full clip make no whole one, so max pooling drops them.
    x = pool_over_time(pooling, x, ops.minimum(steps, x.shape[1]))
    for _ in range(2):
        x = layers.Dense(100, activation="relu")(x)
        x = layers.Dropout(0.5)(x)
    outputs = layers.Dense(classes, activation="softmax")(x)
    inputs = {"features": features, "frames": frames}
    model = keras.Model(inputs, outputs, name="audio_classifier")
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    return model


def arrays(of_clips, classes, frames):
    """Pads clips: what the network takes, and what it must answer."""
    bands = of_clips[0].features.shape[1]
    padded = np.zeros((len(of_clips), frames, bands), np.float32)
    for row, clip in zip(padded, of_clips, strict=True):
        row[: len(clip.features)] = clip.features
    lengths = np.array([len(clip.features) for clip in of_clips], np.int32)
    labels = [clip.label for clip in of_clips]
    return {"features": padded, "frames": lengths}, np.eye(classes)[labels]


class Measure(keras.callbacks.Callback):
    """Adds to each epoch's logs what Keras doesn't measure."""

    def on_epoch_begin(self, epoch, logs=None):
        """Notes the time."""
        self._start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        """Counts the weight arrays that hold a NaN; a loss may not show them."""
        weights = self.model.get_weights()
        logs["nan_weights"] = sum(bool(np.isnan(array).any()) for array in weights)
        logs["seconds"] = time.perf_counter() - self._start


def compare(options):
    """Trains all poolings; writes results, curves and models after each."""
    if "statpool" in options.pooling:
        statpool.load_library()  # fails now rather than after minutes
    options.output.mkdir(parents=True, exist_ok=True)
    classes, *parts = clips.load(options)
    majority = clips.majority(classes, parts[1])
    sizes = len(classes), options.frames
    (x, y), validation = (arrays(part, *sizes) for part in parts)
    histories = []
    for pooling in dict.fromkeys(options.pooling):
        print(f"\n{pooling}")
        # The same weights, dropout and order of clips for every pooling.
        keras.utils.set_random_seed(options.seed)
        model = build_model(pooling, x["features"].shape[1:], len(classes))
        # After a NaN the other epochs run too: they show that it doesn't go away.
        fitted = model.fit(
            x,
            y,
            batch_size=options.batch_size,
            epochs=options.epochs,
            validation_data=validation,
            callbacks=[Measure()],
            verbose=2,
        )
        logs, weights = fitted.history, len(model.weights)
        histories.append(report.History(pooling, classes, logs, weights))
        report.write_results(histories, options.output / "results.json")
        report.draw(histories, majority).savefig(options.output / "learning_curves.png")
        if pooling != "lambda":  # Keras refuses to load Lambda layers
            model.save(options.output / f"{pooling}.keras")
    print(report.summary(histories, majority))
    print(f"results.json, learning_curves.png and models: {options.output}")


def main(arguments=None):
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    command = parser.add_subparsers(required=True).add_parser(
        "train", formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = command.add_argument
    one = at_least(1)
    poolings = {"choices": POOLINGS, "default": ["lambda", "mean-max", "statpool"]}
    add("--data", type=Path, help="folder with one sub-folder of audio per class")
    add("--clips", type=at_least(32), default=480, help="to make up, without --data")
    add("--pooling", nargs="+", help="what to compare", **poolings)
    add("--epochs", type=one, default=16, help="for each pooling")
    add("--batch-size", type=one, default=8, help="clips of a step")
    add("--frames", type=at_least(FEWEST_FRAMES), default=2580, help="of 5 ms each")
    add("--mel-bands", type=one, default=128, help="in each frame")
    add("--seed", type=at_least(0), default=0, help="of clips, weights and dropout")
    add("--output", type=Path, default=Path("output"), help="folder of the results")
    options = parser.parse_args(arguments)
    try:
        compare(options)
    except (clips.DataError, OSError, statpool.NativeLibraryError) as error:
        raise SystemExit(f"Error: {error}") from error


def at_least(smallest):
    """Returns a converter to integers that refuses smaller ones."""

    def integer(text):
        if (value := int(text)) < smallest:
            raise argparse.ArgumentTypeError(f"must be at least {smallest}")
        return value

    return integer


if __name__ == "__main__":
    main()
