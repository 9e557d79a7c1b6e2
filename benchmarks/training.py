"""Training steps: what the pooling costs, and saves, inside a whole model."""

import sys
from pathlib import Path

import keras
import numpy as np

from benchmarks import cases
from benchmarks.correctness import OK, WRONG, Verdict
from benchmarks.measure import Runner
from benchmarks.providers import Provider

_EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
_SPECTROGRAM = (2580, 128)
_CLASSES = 8
_FEATURES = 40  # Of the pooling-heavy model, per time step.


def handles(provider: Provider, mode: str) -> bool:
    """Whether the provider can pool inside that model."""
    if mode == cases.TRAIN_AUDIO:
        return provider.audio_pooling is not None
    return provider.engine == "tensorflow"


class TrainingStep:
    """A model and a batch; the first example is silence, as padded clips are."""

    def __init__(self, provider: Provider, mode: str, case: cases.Case):
        keras.utils.set_random_seed(1)
        if mode == cases.TRAIN_AUDIO:
            self._model, shape = _audio_classifier(provider), _SPECTROGRAM
        else:
            self._model = _pooling_heavy_model(provider, case)
            shape = (case.time, _FEATURES)
        self._model.jit_compile = provider.compiled
        generator = np.random.default_rng(1)
        x = generator.standard_normal((case.batch, *shape), np.float32)
        x[0] = 0
        labels = np.eye(_CLASSES, dtype=np.float32)[
            generator.integers(_CLASSES, size=case.batch)
        ]
        self._batch = [keras.ops.convert_to_tensor(a) for a in (x, labels)]
        self.runner = Runner(self._run)

    def verdict(self) -> Verdict:
        """Whether the weights are still numbers after a step."""
        self._run(1)
        spoilt = sum(not np.isfinite(w).all() for w in self._model.get_weights())
        if not spoilt:
            return Verdict(OK, "", 0.0)
        total = len(self._model.get_weights())
        reason = f"{spoilt} of {total} weight arrays are NaN after a step"
        return Verdict(WRONG, reason, np.inf)

    def _run(self, steps):
        for _ in range(steps):
            self._model.train_on_batch(*self._batch)


def _audio_classifier(provider: Provider) -> keras.Model:
    """The model of the examples, which are programs and no package."""
    if str(_EXAMPLES) not in sys.path:
        sys.path.append(str(_EXAMPLES))
    from audio_classifier import model, settings

    return model.build_model(
        provider.audio_pooling, _SPECTROGRAM, _CLASSES, settings.Sizes()
    )


def _pooling_heavy_model(provider: Provider, case: cases.Case) -> keras.Model:
    """One cheap layer per step, then the pooling over all of its outputs."""
    features = inputs = keras.Input((case.time, _FEATURES))
    features = keras.layers.Dense(case.channels, activation="relu")(features)
    outputs = len(cases.STATISTICS) * case.channels
    pooling = keras.layers.Lambda(
        lambda x: provider.pool(x, None, case.time_axis), output_shape=(outputs,)
    )
    classes = keras.layers.Dense(_CLASSES, activation="softmax")
    model = keras.Model(inputs, classes(pooling(features)))
    model.compile("adam", "categorical_crossentropy")
    return model
