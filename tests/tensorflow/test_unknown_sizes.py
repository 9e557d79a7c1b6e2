"""Masks and lengths that would broadcast are refused where tracing knows no sizes."""

import numpy as np
import pytest
import tensorflow as tf

import statpool
from statpool import reference

IMPLEMENTATIONS = ("native", "composite")
IMAGES = np.arange(12, dtype=np.float32).reshape(2, 3, 2, 1)
SERIES = np.arange(6, dtype=np.float32).reshape(2, 3, 1)


def traced(function, compiled, *inputs, rank_is_known=True):
    """What a function of tensors makes of inputs of which it knows no size."""
    x, padding = inputs
    unknown = [None] * padding.ndim if rank_is_known else None
    specs = [
        tf.TensorSpec([None] * x.ndim, x.dtype),
        tf.TensorSpec(unknown, padding.dtype),
    ]
    return tf.function(function, input_signature=specs, jit_compile=compiled)(*inputs)


def expect_words(words, compiled, function, *inputs, **options):
    """Inside XLA the operation that is refused has the rule for a name."""
    with pytest.raises(tf.errors.InvalidArgumentError) as raised:
        traced(function, compiled, *inputs, **options)
    said = str(raised.value)
    assert words in (said.replace("_", " ") if compiled else said)


def pool_images(implementation):
    layer = statpool.GlobalStatsPooling2D(("mean",), implementation=implementation)
    return lambda x, mask: layer(x, mask=mask)


# XLA takes no tensor of unknown rank.
MODES = [(False, True), (False, False), (True, True)]


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize(("compiled", "rank_is_known"), MODES)
@pytest.mark.parametrize(
    "shape", [(2, 1), (1, 3), (1, 1), (2, 3, 1), (2, 1, 2), (1, 3, 2), (3, 2)]
)
def test_masks_of_images(shape, compiled, rank_is_known, implementation):
    expect_words(
        "mask must have shape",
        compiled,
        pool_images(implementation),
        IMAGES,
        np.ones(shape, bool),
        rank_is_known=rank_is_known,
    )


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize(("compiled", "rank_is_known"), MODES)
@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 2)])
def test_masks_of_images_that_fit(shape, compiled, rank_is_known, implementation):
    mask = np.ones(shape, bool)
    mask[1, 2] = False
    pool = pool_images(implementation)
    y = traced(pool, compiled, IMAGES, mask, rank_is_known=rank_is_known)
    np.testing.assert_allclose(y, [[2.5], [7.5]])


WRONG = {
    "mask": [(2, 1), (1, 3), (1, 1), (3, 2)],
    "lengths": [(1,), (3,), (1, 1), (3, 1)],
}


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(
    ("name", "shape"), [(name, shape) for name in WRONG for shape in WRONG[name]]
)
def test_padding_of_series(name, shape, compiled, implementation):
    def pool(x, padding):
        return statpool.global_stats(
            x, **{name: padding}, implementation=implementation
        )

    padding = np.ones(shape, bool if name == "mask" else np.int32)
    expect_words(f"{name} must have shape", compiled, pool, SERIES, padding)


@pytest.mark.parametrize("compiled", [False, True])
def test_no_size_at_all(compiled):
    """Sizes of 0 are sizes that fit, or don't."""

    def pool(x, mask):
        return statpool.global_stats(x, mask, implementation="composite")

    y = traced(pool, compiled, SERIES[:0], np.ones((0, 3), bool))
    assert y.shape == (0, 3)
    y = traced(pool, compiled, SERIES[:, :0], np.ones((2, 0), bool))
    expected = reference.global_stats(SERIES[:, :0])
    np.testing.assert_allclose(y, expected, rtol=1e-6)
    expect_words(
        "mask must have shape", compiled, pool, SERIES[:0], np.ones((1, 3), bool)
    )
