"""Bad input is an error that states the rule and what was received."""

import re

import numpy as np
import pytest

X = np.zeros((2, 5, 3), np.float32)
UPSTREAM = np.zeros((2, 9), np.float32)


class Bad:
    """Arguments that break a rule, and words that the error must hold."""

    def __init__(self, name, *words, **arguments):
        self.name, self.words, self.arguments = name, words, arguments

    def __str__(self):
        return self.name


BAD = [
    Bad("rank 2", "rank 3", "[2,5]", x=X[:, :, 0]),
    Bad("rank 4", "rank 3", "[2,5,3,1]", x=X[..., np.newaxis]),
    Bad("integer x", "float16", "int32", x=X.astype(np.int32)),
    Bad("complex x", "float16", "complex64", x=X.astype(np.complex64)),
    Bad("complex mask", "mask", "bool", "complex64", mask=np.ones((2, 5), "c8")),
    Bad("float lengths", "lengths", "int64", "float32", lengths=np.float32([1, 2])),
    Bad("long mask", "mask", "[2,6]", mask=np.ones((2, 6), bool)),
    Bad("mask of one example", "mask", "[1,5]", mask=np.ones((1, 5), bool)),
    Bad("mask of rank 1", "mask", "[5]", mask=np.ones(5, bool)),
    Bad("lengths for a mask", "mask", "[2]", "by name", mask=np.array([4, 5])),
    Bad("mask of rank 3", "mask", "[2,5,3]", mask=np.ones((2, 5, 3), bool)),
    Bad("too many lengths", "lengths", "[3]", lengths=np.array([1, 2, 3])),
    Bad("lengths in a row", "lengths", "[1,2]", lengths=np.array([[1, 2]])),
    Bad("two columns", "lengths", "[2,2]", lengths=np.array([[1, 2], [1, 2]])),
    Bad("one length", "lengths", "[1]", lengths=np.array([5])),
    Bad("negative epsilon", "epsilon", ">= 0", "-1", epsilon=-1.0),
    Bad("infinite epsilon", "epsilon", "finite", "inf", epsilon=np.inf),
    Bad("NaN for epsilon", "epsilon", "finite", "nan", epsilon=np.nan),
    Bad("keepdims for epsilon", "epsilon", "number", "True", epsilon=True),
    Bad("epsilon in words", "epsilon", "number", "small", epsilon="small"),
    Bad("no statistic", "statistics", "at least one", statistics=()),
    Bad("unknown statistic", "statistics", "median", statistics=("median",)),
    Bad("repeated", "statistics", "repeat", statistics=("max", "mean", "max")),
    Bad("a string", "statistics", "sequence", "mean", statistics="mean"),
    Bad("no sequence", "statistics", "sequence", "3", statistics=3),
    Bad("layout", "data_format", "channels_last", "NHWC", data_format="NHWC"),
    Bad("keepdims", "keepdims", "bool", "yes", keepdims="yes"),
    Bad("array", "keepdims", "bool", "[ True]", keepdims=np.array([True])),
    Bad("activation", "input_activation", "relu", "gelu", input_activation="gelu"),
    Bad("correction", "correction must be 0 or 1", "2", correction=2),
    Bad("bool correction", "correction must", "True", correction=True),
    Bad("no slope", "negative_slope", "above 0", "0", negative_slope=0),
    Bad("steep slope", "negative_slope", "at most 1", "1.5", negative_slope=1.5),
    Bad("NaN slope", "negative_slope", "nan", negative_slope=np.nan),
    Bad("bool slope", "negative_slope", "True", negative_slope=True),
    Bad("wide output", "output_dtype", "float64", output_dtype="float64"),
    Bad("narrow output", "output_dtype", "float16", output_dtype="float16"),
]
BAD_LENGTHS = [
    Bad("negative length", "lengths", "-1", lengths=np.array([5, -1])),
    Bad("length beyond T", "lengths", "6", lengths=np.array([6, 1])),
    Bad("int32", "lengths", "77", lengths=np.array([1, 77], np.int32)),
]
BAD_MASKS = [
    Bad("2 in a mask", "mask", "2", mask=np.full((2, 5), 2, np.int32)),
    Bad("half a step", "mask", "0.5", mask=np.full((2, 5), 0.5, np.float32)),
    Bad("NaN in a mask", "mask", "nan", mask=np.full((2, 5), np.nan)),
]
BAD_UPSTREAMS = [
    Bad("long", "upstream", "[2,10]", upstream=np.zeros((2, 10), np.float32)),
    Bad("other batch", "upstream", "[1,9]", upstream=np.zeros((1, 9), np.float32)),
    Bad("rank 3", "upstream", "[2,1,9]", upstream=np.zeros((2, 1, 9), np.float32)),
    Bad("flat", "upstream", "[18]", upstream=np.zeros(18, np.float32)),
]


@pytest.mark.parametrize("bad", BAD, ids=str)
def test_bad_input(rejecting, bad):
    _expect(rejecting, bad, rejecting.forward, **{"x": X, **bad.arguments})


@pytest.mark.parametrize("bad", BAD_LENGTHS, ids=str)
def test_bad_lengths(checking, bad):
    _expect(checking, bad, checking.forward, x=X, **bad.arguments)


@pytest.mark.parametrize("bad", BAD_MASKS, ids=str)
def test_masks_of_other_numbers(rejecting, bad):
    if getattr(rejecting, "mode", None) == "xla":
        pytest.skip("XLA has no errors at run time: its results are NaN")
    _expect(rejecting, bad, rejecting.forward, x=X, **bad.arguments)


@pytest.mark.parametrize("keeps", [0, 1])
def test_masks_of_other_numbers_inside_xla(compiled, keeps):
    """Additive masks too, whose 0 keeps, and soft ones: NaN, not the padding's mean."""
    x = np.arange(30, dtype=np.float32).reshape(2, 5, 3)
    upstream = np.ones((2, 9), np.float32)
    for drops in (-1e9, 0.5, np.nan, 2.0):
        mask = np.full((2, 5), keeps, np.float32)
        assert np.isfinite(compiled.forward(x, mask)).all()
        mask[1, 3] = drops
        assert np.isnan(compiled.forward(x, mask)).all()
        counting = mask != 0
        assert np.isnan(compiled.gradient(x, upstream, mask)[counting]).all()


@pytest.mark.parametrize("bad", BAD + BAD_LENGTHS, ids=str)
def test_bad_input_of_the_gradient(rejecting_any_shape, bad):
    arguments = {"x": X, "upstream": UPSTREAM, **bad.arguments}
    _expect(rejecting_any_shape, bad, rejecting_any_shape.gradient, **arguments)


@pytest.mark.parametrize("bad", BAD_UPSTREAMS, ids=str)
def test_bad_upstream(rejecting_any_shape, bad):
    arguments = {"x": X, **bad.arguments}
    _expect(rejecting_any_shape, bad, rejecting_any_shape.gradient, **arguments)


def test_lengths_that_are_not_checked_act_as_if_clipped(unchecking):
    """XLA drops assertions; the CUDA kernels see what the host doesn't."""
    lengths = np.array([-1, 77])
    x = np.arange(30, dtype=np.float32).reshape(2, 5, 3)
    assert np.array_equal(
        unchecking.forward(x, None, lengths),
        unchecking.forward(x, None, np.clip(lengths, 0, 5)),
    )


def _expect(implementation, bad, function, **arguments):
    with pytest.raises(implementation.errors) as caught:
        function(**arguments)
    message = _without_spaces_in_shapes(str(caught.value))
    for word in bad.words:
        spellings = {word}
        if word.startswith("["):  # a graph of unknown sizes knows the rank alone
            spellings |= {re.sub(r"\d+", unknown, word) for unknown in ("None", r"?")}
        assert any(s in message for s in spellings), f"{spellings} not in: {message}"


def _without_spaces_in_shapes(message):
    """Spells shapes like [2,5], whether they were printed as [2, 5] or [2 5]."""
    return re.sub(r"(?<=[\d\]]),? +(?=[\d\[])|(?<=None), (?=None)", ",", message)
