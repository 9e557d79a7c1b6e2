"""The 2D layer: that of sequences over both spatial axes."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

import statpool
from statpool import reference

H, W, C = 6, 5, 3
FORMATS = pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
RULE = r"mask must have shape \[B, H, W\] or \[B, H\]"
assert_close = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6)


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(4, H, W, C)).astype(np.float32)


def expected(x, mask=None, **options):
    """The reference on the images as sequences of H * W steps."""
    if mask is not None:
        whole = mask.reshape(*mask.shape, *[1] * (3 - mask.ndim))
        mask = np.broadcast_to(whole, x.shape[:3]).reshape(len(x), H * W)
    return reference.global_stats(x.reshape(len(x), H * W, C), mask, **options)


def in_format(x, data_format):
    return x if data_format == "channels_last" else np.moveaxis(x, 3, 1)


@FORMATS
@pytest.mark.parametrize("keepdims", [False, True])
def test_pools_both_axes(x, data_format, keepdims):
    layer = statpool.GlobalStatsPooling2D(
        ("std", "mean"), data_format=data_format, keepdims=keepdims
    )
    images = in_format(x, data_format)
    y = layer(images)
    shape = {"channels_last": (4, 1, 1, 6), "channels_first": (4, 6, 1, 1)}
    assert y.shape == (shape[data_format] if keepdims else (4, 6))
    assert layer.compute_output_shape(images.shape) == y.shape
    assert_close(np.reshape(y, (4, 6)), expected(x, statistics=("std", "mean")))


@FORMATS
def test_mask_of_positions_and_of_rows(x, data_format):
    positions = np.random.default_rng(1).random((4, H, W)) < 0.5
    rows = np.array([[1] * 6, [1, 1, 0, 0, 0, 0], [0, 1, 0, 1, 0, 1], [0] * 6]) > 0
    layer = statpool.GlobalStatsPooling2D(data_format=data_format)
    images = in_format(x, data_format)
    for mask in (positions, rows):
        assert_close(layer(images, mask=mask), expected(x, mask))
        symbols = (keras.KerasTensor(a.shape, a.dtype.name) for a in (images, mask))
        assert layer(next(symbols), mask=next(symbols)).shape == (4, 9)
    assert layer.compute_mask(images, rows) is None


@pytest.mark.parametrize(
    "shape", [(4,), (4, W), (4, H, W + 1), (3, H, W), (4, H, W, C)]
)
def test_wrong_mask_is_refused(x, shape):
    layer, mask = statpool.GlobalStatsPooling2D(), np.ones(shape, bool)
    with pytest.raises(ValueError, match=RULE):
        layer(x, mask=mask)
    with pytest.raises(ValueError, match=RULE):
        layer(keras.KerasTensor(x.shape), mask=keras.KerasTensor(shape, "bool"))


@pytest.mark.parametrize("implementation", ["native", "composite"])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_a_mask_of_unknown_rank_is_decided_when_it_runs(x, rank, implementation):
    """As tf.numpy_function returns one."""
    mask = np.random.default_rng(1).random((len(x), H, W)[:rank]) < 0.7
    layer = statpool.GlobalStatsPooling2D(implementation=implementation)

    @tf.function
    def pool(images):
        return layer(images, mask=tf.numpy_function(lambda: mask, [], tf.bool))

    if rank == 1:
        with pytest.raises(tf.errors.InvalidArgumentError, match=RULE[20:]):
            pool(x)
    else:
        assert_close(pool(x), expected(x, mask))


def test_images_of_any_size_and_no_image(x):
    layer = statpool.GlobalStatsPooling2D()
    model = keras.Sequential([keras.Input((None, None, C)), layer])
    assert_close(model(x), expected(x))
    assert model.output_shape == (None, 3 * C)
    assert layer(x[:0]).shape == (0, 3 * C)
    assert np.array_equal(layer(x[:, :0])[:, : 2 * C], np.zeros((4, 2 * C)))


def test_round_trip(x, tmp_path):
    model = keras.Sequential([keras.Input((H, W, C)), statpool.GlobalStatsPooling2D()])
    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(copy(x), model(x))
