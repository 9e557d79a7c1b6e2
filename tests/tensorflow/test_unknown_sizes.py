"""Masks and lengths that would broadcast are refused where tracing knows no sizes."""

import numpy as np
import pytest
import tensorflow as tf

import statpool
from statpool import reference

IMPLEMENTATIONS = pytest.mark.parametrize("implementation", ["native", "composite"])
# XLA takes no tensor of unknown rank.
MODES = pytest.mark.parametrize(
    ("compiled", "rank_is_known"), [(False, True), (False, False), (True, True)]
)
IMAGES = np.arange(12, dtype=np.float32).reshape(2, 3, 2, 1)
SERIES = np.arange(6, dtype=np.float32).reshape(2, 3, 1)


def traced(function, compiled, x, padding, rank_is_known=True):
    """What a function of tensors makes of inputs of which it knows no size."""
    specs = [
        tf.TensorSpec([None] * x.ndim, x.dtype),
        tf.TensorSpec([None] * padding.ndim if rank_is_known else None, padding.dtype),
    ]
    call = tf.function(function, input_signature=specs, jit_compile=compiled)
    return call(x, padding)


def expect_words(words, function, compiled, *inputs):
    """Inside XLA the operation that is refused has the rule for a name."""
    with pytest.raises(tf.errors.InvalidArgumentError) as raised:
        traced(function, compiled, *inputs)
    said = str(raised.value)
    assert words in (said.replace("_", " ") if compiled else said)


@IMPLEMENTATIONS
@MODES
def test_masks_of_images(compiled, rank_is_known, implementation):
    layer = statpool.GlobalStatsPooling2D(("mean",), implementation=implementation)

    def pool(x, mask):
        return layer(x, mask=mask)

    for shape in ((2, 1), (1, 3), (1, 1), (2, 3, 1), (2, 1, 2), (1, 3, 2), (3, 2)):
        inputs = IMAGES, np.ones(shape, bool), rank_is_known
        expect_words("mask must have shape", pool, compiled, *inputs)
    for shape in ((2, 3), (2, 3, 2)):
        mask = np.ones(shape, bool)
        mask[1, 2] = False
        y = traced(pool, compiled, IMAGES, mask, rank_is_known)
        np.testing.assert_allclose(y, [[2.5], [7.5]])


@IMPLEMENTATIONS
@pytest.mark.parametrize("name", ["mask", "lengths"])
def test_padding_of_series_inside_xla(name, implementation):
    """Outside of it tests/contract/test_errors.py has graphs of unknown sizes."""

    def pool(x, padding):
        how = {"implementation": implementation}
        return statpool.global_stats(x, **{name: padding}, **how)

    bad = {"mask": [(2, 1), (1, 3), (1, 1), (3, 2)]}
    bad["lengths"] = [(1,), (3,), (1, 1), (3, 1)]
    for shape in bad[name]:
        padding = np.ones(shape, bool if name == "mask" else np.int32)
        expect_words(f"{name} must have shape", pool, True, SERIES, padding)


@pytest.mark.parametrize("compiled", [False, True])
def test_no_size_at_all(compiled):
    """Sizes of 0 are sizes that fit, or don't."""

    def pool(x, mask):
        return statpool.global_stats(x, mask, implementation="composite")

    def ones(*shape):
        return np.ones(shape, bool)

    assert traced(pool, compiled, SERIES[:0], ones(0, 3)).shape == (0, 3)
    y = traced(pool, compiled, SERIES[:, :0], ones(2, 0))
    np.testing.assert_allclose(y, reference.global_stats(SERIES[:, :0]), rtol=1e-6)
    expect_words("mask must have shape", pool, compiled, SERIES[:0], ones(1, 3))
