"""Trains Keras models with the op inside: on a GPU, or to rehearse on the CPU.

    python -m tests.programs.gpu_training [GPU | CPU [POLICY ...]]

It fits a model in every policy of dtypes, with XLA and without. Losses must be finite
and fall, and the op and its gradient must have run on the device, inside XLA or not as
asked. Two processes repeat each under `enable_op_determinism`: the weights must have
the same bits. It prints a line for each; the exit status is 1 if one is wrong.
"""

import dataclasses
import hashlib
import itertools
import os
import sys
from collections.abc import Iterator

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# Processes share the GPU: each takes what it needs, not everything at once.
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")

import numpy as np

from tests.support import fresh_process

POLICIES = ("float32", "mixed_float16", "mixed_bfloat16")
OPS = {"Statpool>GlobalStats", "Statpool>GlobalStatsGrad"}
EXAMPLES, BATCH, STEPS, FEATURES, CLASSES = 96, 16, 50, 12, 3
EPOCHS = 2  # and one before, whose graphs are looked at


@dataclasses.dataclass(frozen=True)
class Case:
    """What is trained."""

    policy: str
    jit: bool
    device: str

    def __str__(self):
        return f"{self.policy} {'XLA' if self.jit else 'graph'} on {self.device}"


@dataclasses.dataclass(frozen=True)
class Trained:
    """What came of it.

    Attributes:
        losses: Of each epoch.
        weights: A digest of all weights.
        spoilt: How many arrays of weights hold what isn't finite.
        calls: Device of each call of the op or its gradient, "XLA" before it where XLA
            compiled it, by name of the op.
    """

    losses: list[float]
    weights: str
    spoilt: int
    calls: list[tuple[str, str]]


def train_all(cases, deterministic=False) -> list[Trained | str]:
    """Trains each case; returns what came of it, or the error that came instead."""
    import tensorflow as tf

    models = [_model(case) for case in cases]
    if deterministic:
        # After the models: Keras lets none into XLA that is compiled later.
        tf.config.experimental.enable_op_determinism()
    found = []
    for case, model in zip(cases, models, strict=True):
        try:
            with tf.device(f"{case.device}:0"):
                found.append(train(model))
        except Exception as error:  # the others go on; it counts as a fault
            found.append(f"{type(error).__name__}: {error}")
    return found


def train(model) -> Trained:
    """Fits the model, the same way each time."""
    import keras

    keras.utils.set_random_seed(1)
    x, lengths, classes = _arrays()
    # The last batch has another size, which is another graph for XLA.
    arguments = {"x": [x, lengths], "y": classes, "batch_size": BATCH, "verbose": 0}
    with _Graphs() as graphs:
        losses = model.fit(**arguments).history["loss"]
    losses += model.fit(**arguments, epochs=EPOCHS).history["loss"]
    weights = model.get_weights()
    digest = hashlib.sha256(b"".join(w.tobytes() for w in weights)).hexdigest()
    spoilt = sum(not np.isfinite(w).all() for w in weights)
    return Trained(losses, digest, spoilt, graphs.calls)


def _arrays():
    """Sequences that end in silence, their lengths, and classes that they tell."""
    rng = np.random.default_rng(0)
    classes = rng.integers(0, CLASSES, size=EXAMPLES - BATCH // 2)
    x = rng.normal(size=(len(classes), STEPS, FEATURES)).astype(np.float32)
    x += classes[:, None, None]
    lengths = rng.integers(1, STEPS + 1, size=len(classes)).astype(np.int32)
    x[np.arange(STEPS) >= lengths[:, None]] = 0
    x[0] = 0  # where a Lambda's norm turns every weight into NaN
    return x, lengths, classes


def _model(case):
    import keras
    import tensorflow as tf

    import statpool

    keras.utils.set_random_seed(1)
    keras.config.set_dtype_policy(case.policy)
    with tf.device(f"{case.device}:0"):
        x, lengths = keras.Input((STEPS, FEATURES)), keras.Input((), dtype="int32")
        hidden = keras.layers.Conv1D(20, 4, activation="relu", padding="same")(x)
        statistics = "mean", "max", "l2", "std"
        pool = statpool.GlobalStatsPooling1D(statistics, implementation="native")
        hidden = keras.layers.Dropout(0.2, seed=2)(pool(hidden, lengths=lengths))
        classes = keras.layers.Dense(CLASSES, activation="softmax", dtype="float32")
        model = keras.Model([x, lengths], classes(hidden))
        optimizer = keras.optimizers.SGD(0.02, momentum=0.9)
        loss = "sparse_categorical_crossentropy"
        model.compile(optimizer, loss, jit_compile=case.jit)
    return model


class _Graphs:
    """What TensorFlow runs in the context, with each node where it was placed."""

    def __enter__(self):
        from tensorflow.python.eager import context

        self._context = context.context()
        self._context.enable_run_metadata()
        return self

    def __exit__(self, *error):
        ran = self._context.export_run_metadata()
        self._context.disable_run_metadata()
        self.calls = [
            call
            for functions in ran.function_graphs
            for graph in functions.partition_graphs
            for call in calls_of(graph)
        ]


def calls_of(graph) -> Iterator[tuple[str, str]]:
    """Name of the op and device of each call in a placed graph, functions included."""
    library = {one.signature.name: one for one in graph.library.function}

    def walk(nodes, caller):
        for node in nodes:
            # In a function that XLA compiles, every node has the caller's device.
            in_xla = caller.startswith("XLA ")
            device = caller if in_xla else node.device or caller
            if node.op in OPS:
                yield node.op, device
            for attribute in node.attr.values():
                called = library.get(attribute.func.name)
                if called is None:
                    continue
                attributes = {*node.attr, *called.attr}
                compiled = "_XlaMustCompile" in attributes and not in_xla
                inside = f"XLA {device}" if compiled else device
                yield from walk(called.node_def, inside)

    yield from walk(graph.node, "")


def faults(case: Case, trained: Trained) -> list[str]:
    """What is wrong with a training, in words."""
    found = []
    if trained.spoilt:
        found.append(f"weights must be finite, got {trained.spoilt} arrays that aren't")
    if not np.isfinite(trained.losses).all():
        found.append(f"losses must be finite, got {trained.losses}")
    elif not trained.losses[-1] < trained.losses[0]:
        found.append(f"losses must fall, got {trained.losses}")
    if {op for op, _ in trained.calls} != OPS:
        found.append(f"the op and its gradient must run, got {trained.calls}")
    for op, device in trained.calls:
        on_device = f"device:{case.device}:" in device
        if not on_device or device.startswith("XLA ") != case.jit:
            found.append(f"{op} must run as {case}, got '{device}'")
    return found


def main(device="GPU", *policies) -> int:
    """Returns 0 if all training went as it should."""
    pairs = itertools.product(policies or POLICIES, (False, True))
    cases = [Case(policy, jit, device) for policy, jit in pairs]
    # A process each, because determinism can't be turned off again.
    runs = [
        fresh_process.call(train_all, cases, again) for again in (False, True, True)
    ]
    wrong = 0
    for case, *each in zip(cases, *runs, strict=True):
        errors = [one for one in each if isinstance(one, str)]
        found = errors or [fault for one in each for fault in faults(case, one)]
        found = list(dict.fromkeys(found))  # what is wrong in one run mostly is in all
        if not errors and each[1].weights != each[2].weights:
            digests = " and ".join(one.weights[:12] for one in each[1:])
            found.append(f"weights must be the same bits in two runs, got {digests}")
        said = found or ["losses " + ", ".join(f"{x:.3f}" for x in each[0].losses)]
        print(f"{case}: {'; '.join(said)}", flush=True)
        wrong += bool(found)
    print(f"{len(cases) - wrong} of {len(cases)} trainings on the {device} right")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
