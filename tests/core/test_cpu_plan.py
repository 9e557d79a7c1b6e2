"""statpool.cpu_plan: how the CPU kernels cut a call into units, as data."""

import itertools
import subprocess
import sys

import pytest

import statpool
from tests.support.cases import DTYPES, FORMATS

SIZES = (1, 2, 7, 20, 48, 64, 300, 513, 5000)
SHAPES = [
    *itertools.product((1, 3, 33), SIZES, SIZES),
    (1, 10**6, 1),
    (1, 10**9, 3),
    (1, 2**33, 2),
]


def plan_of(batch, time, channels, data_format, **arguments):
    last = data_format == "channels_last"
    shape = (batch, time, channels) if last else (batch, channels, time)
    return statpool.cpu_plan(shape, data_format=data_format, **arguments)


def ceil_div(a, b):
    return -(-a // b)


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_plans_cover_each_step_and_channel_once(dtype, data_format):
    """And keep what the kernels assume of a row of accumulators and its counters."""
    for batch, time, channels in SHAPES:
        plan = plan_of(batch, time, channels, data_format, dtype=dtype)
        assert plan["tiles"] == ceil_div(channels, plan["channels_per_tile"])
        assert plan["splits"] == ceil_div(time, plan["steps_per_split"])
        packs = ceil_div(batch, plan["examples_per_pack"])
        assert plan["units"] == packs * plan["tiles"] * plan["splits"]
        first = data_format == "channels_first" and time > 1
        assert plan["layout"] == ("channels_first" if first else "channels_last")
        width = 1 if first else plan["channels_per_tile"]
        assert plan["fold"] * width <= 512  # lanes of a row
        assert plan["steps_per_split"] // plan["fold"] <= 2**30
        if plan["is_transposed"]:
            assert first
            assert (plan["fold"], plan["splits"]) == (1, 1)
            assert plan["channels_per_group"] % 16 == 0  # lanes of any vector
        if packed := plan["examples_per_pack"] * channels * (packs < batch):
            assert (plan["tiles"], plan["splits"]) == (1, 1)
            assert plan["fold"] * packed <= 64  # lanes of a pack
            assert time * packed <= 1024  # elements of a pack


def test_time_is_split_until_there_are_units_for_the_cores_of_a_server():
    assert statpool.cpu_plan((1, 10**6, 64))["splits"] == 32
    assert statpool.cpu_plan((4, 10**6, 64))["splits"] == 8
    assert statpool.cpu_plan((64, 10**6, 64))["splits"] == 1
    assert statpool.cpu_plan((1, 1000, 64))["splits"] == 1  # too little work


@pytest.mark.parametrize(
    ("shape", "examples"),
    [
        ((10**6, 1, 1), 64),
        ((10**5, 1, 8), 8),
        ((10**5, 20, 1), 32),  # two lanes for each channel
        ((10**5, 5, 3), 21),
        ((3, 5, 3), 3),  # all
        ((10**5, 1, 16), 4),
        ((10**5, 1, 17), 1),  # too few of them to be worth moving their elements
        ((10**5, 9, 15), 1),  # too large
        ((10**5, 63, 1), 16),
        ((10**5, 65, 1), 1),
        ((10**5, 0, 1), 1),
    ],
)
@pytest.mark.parametrize("data_format", FORMATS)
def test_tiny_examples_are_packed(shape, examples, data_format):
    plan = plan_of(*shape, data_format)
    assert plan["examples_per_pack"] == examples
    assert plan["units"] == ceil_div(shape[0], examples)


@pytest.mark.parametrize("data_format", FORMATS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_workspace_is_small(dtype, data_format):
    """Of the default statistics; float64 sums carry the error of their rounding."""
    bytes_per_channel = 48 if dtype == "float64" else 16
    splits = set()
    for time, channels in itertools.product((1, 10**3, 10**5, 2 * 10**6), (1, 7, 64)):
        plan = plan_of(1, time, channels, data_format, dtype=dtype)
        split = plan["splits"] if plan["splits"] > 1 else 0
        assert plan["workspace_bytes"] == bytes_per_channel * channels * split
        splits.add(split)
    assert {0, 32} <= splits


def test_nothing_to_do_is_a_plan():
    for shape in ((0, 3, 4), (2, 3, 0)):
        assert statpool.cpu_plan(shape)["units"] == 0
    assert statpool.cpu_plan((2, 0, 4))["units"] == 2  # finishes empty channels


def test_it_names_all_fields_and_loads_no_tensorflow():
    code = (
        "import sys, statpool; print(*statpool.cpu_plan((1, 2000, 8)).items());"
        "assert 'tensorflow' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout.decode().strip() == (
        "('layout', 'channels_last') ('is_transposed', False) ('channels_per_group', 0)"
        " ('examples_per_pack', 1) ('fold', 2) ('channels_per_tile', 8)"
        " ('tiles', 1) ('steps_per_split', 2000) ('splits', 1) ('units', 1)"
        " ('partial_bytes', 0) ('workspace_bytes', 0)"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"shape": (2, 3)}, "rank 3"),
        ({"shape": (2, -3, 4)}, "sizes >= 0"),
        ({"shape": (2**30, 2**30, 2)}, r"2\*\*56"),
        ({"dtype": "int32"}, "float16"),
        ({"statistics": ("mode",)}, "mode"),
        ({"data_format": "NHWC"}, "channels_last"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        statpool.cpu_plan(**{"shape": (2, 3, 4), **arguments})
