"""Launch plans: nothing is left out or done twice, and no limit is exceeded."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import statpool
from tests.support.cases import DTYPES, FORMATS

MAX_GRID = 2**31 - 1
MAX_ROWS = 2**15 + 31  # of a split, of whose rows a thread counts its own with 16 bits
MAX_SHARED = 48 << 10  # bytes of a block, without asking the driver for more
ELEMENT_BYTES = {"float16": 2, "bfloat16": 2, "float32": 4, "float64": 8}
THREADS = {2: 128, 4: 256, 8: 256}

SIZES = st.integers(1, 40) | st.sampled_from([63, 64, 65, 127, 128, 129, 255, 512, 513])
HUGE = st.integers(0, 40).map(lambda bits: 2**bits) | st.integers(0, 2**40)


@st.composite
def problems(draw, sizes, most=2**56):
    """Arguments of `launch_plan`, for at most so many elements or outputs."""
    dtype = draw(st.sampled_from(DTYPES))
    shape = []
    for _ in range(3):
        left = most // math.prod(max(size, 1) for size in shape)
        shape.append(min(draw(sizes), left))
    return {
        "shape": tuple(draw(st.permutations(shape))),
        "dtype": dtype,
        "data_format": draw(st.sampled_from(FORMATS)),
        "multiprocessors": draw(st.sampled_from([1, 2, 14, 80, 132, 170])),
        "alignment": draw(st.sampled_from([16, ELEMENT_BYTES[dtype]])),
    }


def time_and_channels(problem):
    _, first, second = problem["shape"]
    last = problem["data_format"] == "channels_last"
    return (first, second) if last else (second, first)


@settings(max_examples=400)
@given(problem=problems(SIZES, most=50_000))
def test_every_element_is_covered_once(problem):
    """By the rule that cuda/thread/unit.cuh follows."""
    time, _ = time_and_channels(problem)
    plans = statpool.launch_plan(**problem)
    for name in ("forward", "gradient"):
        plan = plans[name]
        unit = np.arange(plan["blocks"] * plan["groups"])
        unit = unit[unit < plan["units"]]
        tile, part = unit % plan["tiles"], unit // plan["tiles"]
        first_row = part % plan["splits"] * plan["rows_per_split"]
        slab = part // plan["splits"]
        x = np.arange(plan["threads_x"] * plan["vector_width"])
        row_elements = plan["fold"] * plan["width"]
        row = first_row[:, None] + np.arange(plan["rows_per_split"])
        column = tile[:, None] * len(x) + x
        row, column = row[:, :, None], column[:, None, :]
        begin = slab[:, None, None] * time * plan["width"]
        shift = begin % plan["vector_width"]
        at = row * row_elements + column - shift
        in_slab = (row < plan["rows"]) & (column < row_elements)
        in_slab &= (at >= 0) & (at < time * plan["width"])
        covered = (begin + at)[in_slab]
        count = np.bincount(covered, minlength=math.prod(problem["shape"]))
        assert (count == 1).all(), name


@settings(max_examples=1500)
@given(problem=problems(SIZES | HUGE))
def test_limits_of_the_hardware_and_of_the_counters(problem):
    time, channels = time_and_channels(problem)
    plans = statpool.launch_plan(**problem)
    for name in ("forward", "gradient", "join"):
        plan = plans[name]
        if plan is None:
            continue
        assert 0 <= plan["grid"] <= MAX_GRID
        assert plan["grid"] == min(plan["blocks"], MAX_GRID)
        if problem["shape"][0] * channels == 0:
            assert plan["grid"] == 0
            continue
        assert plan["block"] % 32 == 0
        if name == "join":  # a warp for each channel
            assert plan["block"] == 256
            assert plan["blocks"] * 8 >= problem["shape"][0] * channels
            continue
        assert plan["block"] <= THREADS[ELEMENT_BYTES[problem["dtype"]]]
        assert 0 < plan["shared_bytes"] <= MAX_SHARED
        assert plan["resident"] >= 1
        assert plan["threads_x"] * plan["threads_y"] <= plan["group_threads"]
        assert plan["groups"] * plan["group_threads"] <= plan["block"]
        assert plan["group_threads"] * plan["vector_width"] % 2 == 0
        assert plan["units"] == plan["slabs"] * plan["splits"] * plan["tiles"]
        assert plan["blocks"] == -(-plan["units"] // plan["groups"]) or time == 0
        assert plan["rows"] * plan["fold"] >= time
        assert plan["splits"] * plan["rows_per_split"] >= plan["rows"]
        assert (plan["splits"] - 1) * plan["rows_per_split"] <= max(plan["rows"] - 1, 0)
        assert plan["rows_per_split"] <= MAX_ROWS


@settings(max_examples=800)
@given(problem=problems(SIZES))
def test_vectors_are_aligned(problem):
    """16 bytes or one element, in whole rows, and whole slabs but for narrow ones."""
    time, _ = time_and_channels(problem)
    bytes_ = ELEMENT_BYTES[problem["dtype"]]
    for name in ("forward", "gradient"):
        plan = statpool.launch_plan(**problem)[name]
        vector = plan["vector_width"]
        if vector == 1:
            assert plan["fold"] == 1
            continue
        assert vector * bytes_ == problem["alignment"] == 16
        assert plan["fold"] * plan["width"] % vector == 0
        assert time * plan["width"] % vector == 0 or plan["width"] == 1
        assert plan["fold"] == 1 or plan["tiles"] == 1


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_wide_channels_are_loaded_by_vectors(dtype, data_format):
    for channels in (16, 64, 128, 200, 512, 1000):
        is_last = data_format == "channels_last"
        shape = (32, 504, channels) if is_last else (32, channels, 501)
        plans = statpool.launch_plan(shape, dtype, data_format=data_format)
        for name in ("forward", "gradient"):
            assert plans[name]["vector_width"] == 16 // ELEMENT_BYTES[dtype]


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_132_multiprocessors_are_filled_where_the_data_allows(dtype, data_format):
    """Each has a block where each can have 64 KiB."""
    for shape in ((1, 2**20, 32), (2, 50_000, 128), (32, 500, 512), (64, 1500, 512)):
        assert math.prod(shape) * ELEMENT_BYTES[dtype] >= 132 * 2**16
        batch, time, channels = shape
        if data_format == "channels_first":
            shape = (batch, channels, time)
        plans = statpool.launch_plan(shape, dtype, data_format=data_format)
        for name in ("forward", "gradient"):
            assert plans[name]["grid"] >= 132, (shape, name)


@pytest.mark.parametrize("dtype", DTYPES)
def test_bytes_are_those_of_the_arrays(dtype):
    size = ELEMENT_BYTES[dtype]
    batch, time, channels = 4, 100, 256
    plans = statpool.launch_plan((batch, time, channels), dtype, multiprocessors=1)
    assert plans["workspace_bytes"] == 0
    x, y = batch * time * channels * size, batch * 3 * channels * size
    saved = batch * channels * 5 * max(size, 4)  # steps, mean, max, its ties, l2
    forward, gradient = plans["forward"], plans["gradient"]
    assert (forward["bytes_read"], forward["bytes_written"]) == (x, y + saved)
    assert (gradient["bytes_read"], gradient["bytes_written"]) == (x + y + saved, x)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("shape", [(64, 1500, 512), (16, 2580, 128)])
def test_a_forward_pass_moves_little_more_than_x(shape, dtype):
    forward = statpool.launch_plan(shape, dtype, multiprocessors=132)["forward"]
    moved = forward["bytes_read"] + forward["bytes_written"]
    assert moved <= 1.01 * math.prod(shape) * ELEMENT_BYTES[dtype]


def test_a_long_example_is_split_and_joined():
    plans = statpool.launch_plan((1, 10**6, 16))
    splits, join = plans["forward"]["splits"], plans["join"]
    assert splits > 1
    assert join["grid"] >= 1
    # A lane's mean, max and l2 of a split: two sums, a value and two counts.
    assert plans["workspace_bytes"] == splits * 16 * (8 + 8 + 4 + 8 + 8)
    x_bytes = 10**6 * 16 * 4
    assert plans["forward"]["bytes_read"] == x_bytes + plans["workspace_bytes"]


def test_arguments_change_the_plan():
    def forward(*arguments, **options):
        return statpool.launch_plan(*arguments, **options)["forward"]

    last = forward((4, 300, 64), "float16", statistics=("mean",))
    first = forward((4, 64, 300), "float16", data_format="channels_first")
    assert (last["slabs"], first["slabs"]) == (4, 4 * 64)
    assert last["vector_width"] == 8
    assert forward((4, 300, 64), "float16", alignment=2)["vector_width"] == 1
    small, large = (forward((1, 10**6, 8), multiprocessors=n) for n in (1, 132))
    assert small["splits"] < large["splits"]
    turing, hopper = (forward((64, 64, 512), architecture=n) for n in (75, 90))
    assert turing["shared_bytes"] < hopper["shared_bytes"]
    assert forward((0, 3, 4))["grid"] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"shape": (2, 3)}, "rank 3"),
        ({"shape": (2, -3, 4)}, "sizes >= 0"),
        ({"shape": (2**30, 2**30, 2)}, r"2\*\*56"),
        ({"dtype": "int32"}, "float16"),
        ({"statistics": ("mode",)}, "mode"),
        ({"data_format": "NHWC"}, "channels_last"),
        ({"multiprocessors": 0}, "multiprocessors"),
        ({"architecture": 9}, "architecture"),
        ({"alignment": 3}, "alignment"),
        ({"dtype": "float64", "alignment": 4}, "size of a float64"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        statpool.launch_plan(**{"shape": (2, 3, 4), **arguments})
