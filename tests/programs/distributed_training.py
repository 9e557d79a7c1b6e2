"""A member of a cluster that trains a small model: the program of test_distribute.py.

Its part is "single", a replica alone; "mirrored", two logical devices of the CPU;
"workers", a replica of several processes (TF_CONFIG names them); or "servers", a
coordinator that sends steps to workers, which keep the weights at a parameter server.
What comes out of each case goes to the folder.
"""

import dataclasses
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import keras
import numpy as np
import tensorflow as tf

import statpool

EPOCHS = 3
BATCH = 8
STEPS, FEATURES, CLASSES = 12, 6, 3


@dataclasses.dataclass(frozen=True)
class Case:
    """What is trained.

    Attributes:
        examples: 24 fill every batch of 8; with 25 the last one has 1, and all replicas
            but one get none of it.
        policy: Keras' policy of dtypes.
        jit: Whether XLA compiles what a replica computes.
    """

    examples: int = 24
    policy: str = "float32"
    jit: bool = False


CASES = {
    "even": Case(),
    "uneven": Case(examples=25),
    "mixed": Case(examples=25, policy="mixed_bfloat16"),
    "jit": Case(examples=25, jit=True),
}


def arrays(case):
    """Sequences with zeros that Masking hides, lengths, and classes."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(case.examples, STEPS, FEATURES)).astype(np.float32)
    x[rng.random((case.examples, STEPS)) < 0.3] = 0
    lengths = rng.integers(0, STEPS + 1, size=case.examples).astype(np.int32)
    return x, lengths, rng.integers(0, CLASSES, size=case.examples)


def dataset(case):
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.DATA
    )
    whole = tf.data.Dataset.from_tensor_slices(arrays(case))
    return whole.batch(BATCH).with_options(options)


def model_of(case):
    """A model that pools under a mask and lengths, and its optimizer."""
    keras.utils.set_random_seed(1)
    policy = keras.DTypePolicy(case.policy)
    x = keras.Input((STEPS, FEATURES))
    lengths = keras.Input((), dtype="int32")
    hidden = keras.layers.Masking(dtype=policy)(x)
    hidden = keras.layers.Dense(5, activation="tanh", dtype=policy)(hidden)
    pooled = statpool.GlobalStatsPooling1D(dtype=policy)(hidden, lengths=lengths)
    model = keras.Model([x, lengths], keras.layers.Dense(CLASSES)(pooled))
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    optimizer.build(model.trainable_variables)
    return model, optimizer


class Loop:
    """Training step by step: the mean over all examples of all replicas."""

    def __init__(self, strategy, case):
        self.strategy = strategy
        with strategy.scope():
            self.model, self.optimizer = model_of(case)
            self._losses = keras.losses.SparseCategoricalCrossentropy(
                from_logits=True, reduction="none"
            )
        self.gradients = tf.function(self._gradients, jit_compile=case.jit)
        self.step = tf.function(self._step)

    def _gradients(self, x, lengths, y, count):
        with tf.GradientTape() as tape:
            losses = self._losses(y, self.model([x, lengths], training=True))
            loss = tf.reduce_sum(losses) / count
        return tape.gradient(loss, self.model.trainable_variables)

    def _learn(self, x, lengths, y):
        context = tf.distribute.get_replica_context()
        count = context.all_reduce("SUM", tf.cast(tf.shape(y)[0], tf.float32))
        found = self.gradients(x, lengths, y, count)
        self.optimizer.apply_gradients(
            zip(found, self.model.trainable_variables, strict=True)
        )

    def _step(self, batch):
        self.strategy.run(self._learn, batch)

    def train(self, case):
        batches = self.strategy.experimental_distribute_dataset(dataset(case))
        for _ in range(EPOCHS):
            for batch in batches:
                self.step(batch)
        return self.model.get_weights()

    def native_devices(self, case):
        """The device of each pooling of the op in what a step runs."""
        batch = next(iter(self.strategy.experimental_distribute_dataset(dataset(case))))
        return devices_of(self.step.get_concrete_function(batch).graph)


def devices_of(graph, caller=""):
    """Devices of the calls of the op, in functions that the graph calls too."""
    found = []
    for operation in graph.get_operations():
        device = operation.device or caller
        if operation.type == "Statpool>GlobalStats":
            found.append(device)
        for attribute in operation.op_def.attr:
            if attribute.type == "func":
                name = operation.get_attr(attribute.name).name
                inner = graph._get_function(name)
                found += devices_of(inner.graph, device) if inner else []
    return found


def in_loops(strategy, folder, name):
    """Every case, in a loop of our own."""
    report = {}
    for case_name, case in CASES.items():
        if case.jit and name == "mirrored":
            continue  # XLA refuses the second device's weights, docs/distributed.md
        loop = Loop(strategy, case)
        np.savez(folder / f"{case_name}-{name}.npz", *loop.train(case))
        report[case_name] = loop.native_devices(case)
    (folder / f"report-{name}.json").write_text(json.dumps(report))


def with_fit(strategy, folder, case_name, implementation):
    """Keras' own loop, where it knows the strategy."""
    case = CASES[case_name]
    with strategy.scope(), statpool.force_implementation(implementation):
        model, optimizer = model_of(case)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(optimizer, loss)
        batches = dataset(case).map(lambda x, lengths, y: ((x, lengths), y))
        model.fit(batches, epochs=EPOCHS, verbose=0, shuffle=False)
    path = folder / f"{case_name}-fit-{implementation}.npz"
    np.savez(path, *model.get_weights())


def serve(resolver):
    """A worker or parameter server; only the op must be known there."""
    statpool.load_library()
    server = tf.distribute.Server(
        resolver.cluster_spec(),
        job_name=resolver.task_type,
        task_index=resolver.task_id,
        protocol="grpc",
        start=True,
    )
    server.join()


class PlainModel:
    """A model without Keras, which knows no parameter servers."""

    def __init__(self):
        self.case = CASES["uneven"]
        kernel = np.random.default_rng(1).normal(size=(3 * FEATURES, CLASSES))
        self.kernel = tf.Variable(kernel, dtype=tf.float32)
        self.step = tf.function(self._step)

    def _step(self, x, lengths, y):
        with tf.GradientTape() as tape:
            pooled = statpool.global_stats(x, lengths=lengths)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
                y, pooled @ self.kernel
            )
            loss = tf.reduce_mean(losses)
        self.kernel.assign_sub(0.1 * tape.gradient(loss, self.kernel))

    def train(self, run):
        for _ in range(EPOCHS):
            for batch in dataset(self.case):
                run(self.step, batch)
        return self.kernel.numpy()


def without_servers():
    """The weights of the plain model, trained here."""
    return PlainModel().train(lambda step, batch: step(*batch))


def coordinate(resolver, folder):
    """Steps one after the other, on whichever worker: as if there were one."""
    strategy = tf.distribute.ParameterServerStrategy(resolver)
    coordinator = tf.distribute.coordinator.ClusterCoordinator(strategy)
    with strategy.scope():
        model = PlainModel()

    def run(step, batch):
        coordinator.schedule(step, args=batch)
        coordinator.join()

    np.savez(folder / "servers.npz", model.train(run))
    batch = next(iter(dataset(model.case)))
    devices = devices_of(model.step.get_concrete_function(*batch).graph)
    (folder / "report-servers.json").write_text(json.dumps(devices))


def under_keras():
    """Keras' own distribution: how many devices hold weights."""
    devices = _two_devices()
    keras.distribution.set_distribution(
        keras.distribution.DataParallel(devices=[f"cpu:{i}" for i in range(2)])
    )
    case = CASES["even"]
    model, optimizer = model_of(case)
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(True))
    model.fit(dataset(case).map(lambda x, n, y: ((x, n), y)), verbose=0)
    assert len(devices) == 2
    assert len({w.value.device for w in model.weights}) == 1


def under_dtensor():
    """Batches divided by DTensor: stock operations follow, the op can't."""
    from tensorflow.experimental import dtensor

    mesh = dtensor.create_mesh([("batch", 2)], devices=_two_devices())
    layout = dtensor.Layout.batch_sharded(mesh, "batch", rank=3)
    x = dtensor.call_with_layout(tf.ones, layout, [4, STEPS, FEATURES])
    y = statpool.global_stats(x, implementation="composite")
    assert dtensor.fetch_layout(y).sharding_specs == ["batch", "unsharded"]
    np.testing.assert_array_equal(
        tf.concat(dtensor.unpack(y), 0), statpool.global_stats(np.ones(x.shape, "f4"))
    )
    try:
        statpool.global_stats(x, implementation="native")
    except tf.errors.UnimplementedError:
        return
    raise AssertionError("docs/distributed.md says that the op is an error")


def _two_devices():
    (cpu,) = tf.config.list_physical_devices("CPU")
    two = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, two)
    return ["CPU:0", "CPU:1"]


OTHERS = {"keras": under_keras, "dtensor": under_dtensor}


def main():
    """Runs the part that the arguments name."""
    part, folder = sys.argv[1], Path(sys.argv[2])
    if part == "single":
        in_loops(tf.distribute.get_strategy(), folder, "single")
    elif part == "mirrored":
        strategy = tf.distribute.MirroredStrategy(_two_devices())
        in_loops(strategy, folder, "mirrored")
        for case in ("even", "uneven"):
            for implementation in ("native", "composite"):
                with_fit(strategy, folder, case, implementation)
    elif part == "workers":
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
        in_loops(strategy, folder, f"worker-{strategy.cluster_resolver.task_id}")
    elif part in OTHERS:
        OTHERS[part]()
    else:
        resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
        if resolver.task_type in ("worker", "ps"):
            serve(resolver)
        else:
            coordinate(resolver, folder)


if __name__ == "__main__":
    main()
