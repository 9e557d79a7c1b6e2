"""A BatchNormalization inside the pooling layers, against Keras' own before them."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

import statpool
from statpool import ops
from statpool._options import STATISTICS
from tests.support.fresh_process import call

B, T, C = 5, 12, 6
LENGTHS = np.array([12, 3, 7, 1, 9])
MASK = np.arange(T) < LENGTHS[:, None]
LEAKY = functools.partial(tf.nn.leaky_relu, alpha=0.25)  # exact in its float32
ACTIVATIONS = {None: tf.identity, "relu": tf.nn.relu, "leaky_relu": LEAKY}
IMPLEMENTATIONS = pytest.mark.parametrize("implementation", ["native", "composite"])
Normalization = keras.layers.BatchNormalization
Pooling = statpool.GlobalStatsPooling1D
assert_close = functools.partial(np.testing.assert_allclose, rtol=1e-12, atol=1e-12)


@pytest.fixture(autouse=True)
def exact_means(monkeypatch):
    """Lets Keras divide masked sums by their count; it adds its epsilon, 1e-7."""
    monkeypatch.setattr(keras.src.backend, "epsilon", lambda: 0.0)


@pytest.fixture
def x():
    """Some channels are silent behind a ReLU, or constant."""
    rng = np.random.default_rng(0)
    x = rng.normal(rng.normal(size=C), 1, (B, T, C))
    x[..., 0], x[..., 1] = -1, 2.5
    return x


def normalization(shape=(B, T, C), dtype="float64", **options):
    """A layer with any weights; gammas of both signs, and 0."""
    layer = Normalization(momentum=0.9, dtype=dtype, **options)
    layer.build(shape)
    rng = np.random.default_rng(1)
    for weight in layer.weights:
        away = 0.5 if "variance" in weight.name else -0.5
        weight.assign(rng.random(weight.shape) + away)
    if layer.scale:
        signs = np.resize([1, 1, 1, -1, -1, 0], layer.gamma.shape)
        layer.gamma.assign(layer.gamma * signs)
    return layer


def pooling(layer, kind=Pooling, **options):
    options = {"statistics": STATISTICS, "epsilon": 1e-6, "dtype": "float64", **options}
    return kind(input_normalization=layer, **options)


def statistics(y, mask=None, **options):
    options = {"statistics": STATISTICS, "epsilon": 1e-6, **options}
    return statpool.global_stats(y, mask, implementation="composite", **options)


def stock(layer, x, mask=None, activation=None, training=True, **options):
    """Statistics of what Keras puts out."""
    y = layer(ACTIVATIONS[activation](x), training=training, mask=mask)
    return statistics(y, mask, **options)


def learned(pool, layer, x):
    """The result, its gradients, and the moving averages afterwards."""
    x = tf.Variable(x)
    of = [x, *(weight.value for weight in layer.trainable_variables)]
    with tf.GradientTape() as tape:
        y = pool(layer, x)
        loss = tf.reduce_sum(y * np.random.default_rng(2).normal(size=y.shape))
    return [y, *tape.gradient(loss, of), *layer.non_trainable_variables]


def assert_equal_learning(x, ours, theirs, *layers):
    """Of two ways to pool, with layers that have the same weights."""
    results = map(learned, (ours, theirs), layers, (x, x))
    for a, b in zip(*results, strict=True):
        assert_close(a, b)


@IMPLEMENTATIONS
@pytest.mark.parametrize(
    ("activation", "options"),
    [
        (None, {}),
        ("relu", {}),
        ("relu", {"center": False, "scale": False}),
        ("leaky_relu", {"center": False}),
        ("leaky_relu", {"scale": False}),
    ],
)
@pytest.mark.parametrize("mask", [None, MASK], ids=["whole", "masked"])
@pytest.mark.parametrize("training", [True, False])
def test_learns_as_stock_layers(x, implementation, activation, options, mask, training):
    how = {"implementation": implementation, "input_activation": activation}
    how["negative_slope"] = 0.25
    assert_equal_learning(
        x,
        lambda layer, x: pooling(layer, **how)(x, mask=mask, training=training),
        lambda layer, x: stock(layer, x, mask, activation, training),
        *(normalization(**options) for _ in range(2)),
    )


@pytest.mark.parametrize("mask", [None, MASK.reshape(B, 4, 3), MASK[:, :4]])
@pytest.mark.parametrize("axis", [1, 3])
def test_images(x, mask, axis):
    """A mask of positions and one of rows; Keras' own can't have the channels first."""
    kind = functools.partial(
        statpool.GlobalStatsPooling2D,
        data_format="channels_last" if axis == 3 else "channels_first",
    )
    order = (0, 1, 2, 3) if axis == 3 else (0, 3, 1, 2)
    is_of_rows = mask is not None and mask.ndim == 2
    whole = np.repeat(mask[..., None], 3, -1) if is_of_rows else mask
    flat = None if mask is None else whole.reshape(B, T)

    def ours(layer, x):
        return pooling(layer, kind)(tf.transpose(x, order), mask=mask, training=True)

    def theirs(layer, x):
        y = layer(x, training=True, mask=whole)
        return statistics(tf.reshape(y, (B, T, C)), flat)

    images = x.reshape(B, 4, 3, C)
    shape = images.transpose(order).shape
    layers = normalization(shape, axis=axis), normalization(images.shape)
    assert_equal_learning(images, ours, theirs, *layers)


@pytest.mark.parametrize("kind", ["both", "ragged", "numbers", "bytes"])
def test_every_form_of_padding_counts(x, kind):
    """What lies in steps that don't count never matters."""
    layer, other = normalization(), normalization()
    mask = np.random.default_rng(3).random((B, T)) < 0.7
    mask[3] = False
    keep = MASK & mask if kind == "both" else MASK
    expected = stock(other, x, keep)
    x = np.where(keep[..., None], x, np.nan)
    arguments = {"both": {"mask": mask, "lengths": LENGTHS}, "ragged": {}}
    arguments["bytes"] = {"mask": (MASK.astype("uint8") * 2).view(bool)}
    arguments = arguments.get(kind, {"mask": MASK.astype("int32")})
    x = tf.RaggedTensor.from_tensor(x, LENGTHS) if kind == "ragged" else x
    y = pooling(layer, keepdims=True)(x, training=True, **arguments)
    assert_close(y[:, 0], expected)
    for a, b in zip(layer.weights, other.weights, strict=True):
        assert_close(a, b)


def test_numbers_that_are_no_mask_give_nan_in_xla(x):
    """Also for an example of zeros, by which an additive mask means that all count."""
    pool = tf.function(pooling(normalization()), jit_compile=True)
    assert np.isnan(pool(x, mask=MASK * 2 * (LENGTHS[:, None] != 3))).all()


@pytest.mark.parametrize(
    ("asked", "training", "scale", "read"),
    [
        ("mean", False, True, ["mean"]),
        ("std", False, True, ["std"]),
        ("max", False, True, ["max", "min"]),
        ("max", False, False, ["max"]),
        ("l2", False, True, ["mean", "std"]),
        ("std", True, True, ["mean", "std"]),
        ("min", True, True, ["mean", "max", "min", "std"]),
        ("min", True, False, ["mean", "min", "std"]),
    ],
)
def test_reads_no_more_than_needed(x, asked, training, scale, read, monkeypatch):
    reads, pool = [], ops.pool
    watched = lambda *a: [reads.append(a[3].statistics), pool(*a)][1]  # noqa: E731
    monkeypatch.setattr(ops, "pool", watched)
    layer, other = normalization(scale=scale), normalization(scale=scale)
    y = pooling(layer, statistics=[asked])(x, training=training)
    assert reads == [tuple(read)]
    assert_close(y, stock(other, x, training=training, statistics=[asked]))


class Outer(keras.layers.Layer):
    """Says whether it is training to none but Keras."""

    def call(self, x):
        return self.pool(x)


@pytest.mark.parametrize("how", ["eager", "graph", "xla"])
@pytest.mark.parametrize("trainable", [True, False])
def test_moving_averages_move_in_training_alone(x, how, trainable):
    layer, other = normalization(), normalization()
    other.trainable = trainable
    outer = Outer(dtype="float64")
    outer.pool, outer.trainable = pooling(layer), trainable
    step = functools.partial(outer, training=True)
    if how != "eager":
        step = tf.function(step, jit_compile=how == "xla")
    before = layer.get_weights()
    for scaled in (tf.constant(x), tf.constant(x) * 2):
        assert_close(step(scaled), stock(other, scaled))
    for weight, same, old in zip(layer.weights, other.weights, before, strict=True):
        assert_close(weight, same)
        assert np.array_equal(weight, old) != (trainable and "moving" in weight.name)


def test_a_batch_without_a_step_leaves_the_moving_averages_alone(x):
    layer = normalization()
    before = layer.get_weights()
    y = pooling(layer)(x * np.nan, mask=MASK & False, training=True)
    np.testing.assert_array_equal(layer.get_weights(), before)
    expected = np.repeat([0, 0, 0, 1e-3, 1e-3, 1e-3], C)
    np.testing.assert_allclose(y, np.tile(expected, (B, 1)), rtol=1e-15)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_rounds_once(x, policy):
    half = keras.DTypePolicy(policy).compute_dtype
    x = tf.cast(x, half)

    def pooled(x, **options):
        layer = normalization(dtype=options["dtype"])
        return pooling(layer, **options)(x, training=True)

    wide = pooled(tf.cast(x, tf.float32), dtype="float32")
    np.testing.assert_array_equal(pooled(x, dtype=policy), tf.cast(wide, half))
    options = {"dtype": policy, "output_dtype": "float32"}
    np.testing.assert_array_equal(pooled(x, **options), wide)
    exact = stock(normalization(), tf.cast(x, tf.float64))
    np.testing.assert_allclose(wide, exact, rtol=1e-4, atol=1e-5)


@IMPLEMENTATIONS
def test_second_order(x, implementation):
    """Also where std is 0, and has no curvature of its own.

    Keras' moments have all their curvature under a mask alone: tf.nn.moments stops a
    gradient.
    """
    weights = np.random.default_rng(3).normal(size=x.shape)

    def curvature(pool, x):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                loss = tf.reduce_sum(tf.sin(pool(x)))
            loss = tf.reduce_sum(weights * inner.gradient(loss, x))
        return outer.gradient(loss, x)

    pool = pooling(normalization(), implementation=implementation)
    every = functools.partial(stock, normalization(), mask=np.ones((B, T), bool))
    of = functools.partial(pool, training=True), every
    got, expected = (curvature(way, tf.constant(x)) for way in of)
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-9)


def on_replicas(x):
    """What one replica learns of a batch, and two of its parts, synchronised or not."""
    (cpu,) = tf.config.list_physical_devices("CPU")
    two = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, two)

    def learn(layer, x, mask):
        y = pooling(layer)(x, mask=mask, training=True)
        loss = tf.reduce_sum(tf.sin(y))
        return tf.gradients(loss, [x, layer.gamma.value, layer.beta.value])

    def of(cuts, synchronized):
        devices = [f"CPU:{i}" for i in range(len(cuts) - 1)]
        strategy = tf.distribute.MirroredStrategy(devices)
        parts = [
            strategy.experimental_distribute_values_from_function(
                lambda c, a=a: tf.constant(
                    a[slice(*cuts[c.replica_id_in_sync_group :][:2])]
                )
            )
            for a in (x, MASK)
        ]
        with strategy.scope():
            layer = normalization(synchronized=synchronized)
        step = tf.function(lambda: strategy.run(learn, (layer, *parts)))
        dx, *of_weights = step()
        dx = np.concatenate(strategy.experimental_local_results(dx))
        sums = [strategy.reduce("SUM", d, axis=None).numpy() for d in of_weights]
        return [dx, *sums, *map(np.array, layer.non_trainable_variables)]

    return of([0, B], True), of([0, 1, B], True), of([0, 1, B], False)


def test_synchronized_replicas_share_their_moments(x):
    """Far from 0, where a mean of squares would lose 5 digits more."""
    one, two, apart = call(on_replicas, x + 1e5)
    for a, b, c in zip(one, two, apart, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-9, atol=1e-9)
        assert np.abs(c - a).max() > 1e-2
