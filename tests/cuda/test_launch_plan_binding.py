"""statpool.launch_plan from Python; tests/cuda and its neighbours test the plans."""

import pytest

import statpool


def test_a_plan_is_data_and_needs_no_gpu():
    plan = statpool.launch_plan((32, 500, 512))
    forward, gradient = plan["forward"], plan["gradient"]
    assert forward["width"] == 512
    assert forward["grid"] * forward["block"] > 0
    assert forward["vector_width"] == gradient["vector_width"] == 4
    x_bytes = 32 * 500 * 512 * 4
    assert forward["bytes_read"] == x_bytes + plan["workspace_bytes"]
    assert gradient["bytes_written"] == x_bytes


def test_arguments_change_the_plan():
    last = statpool.launch_plan((4, 300, 64), "float16", statistics=("mean",))
    first = statpool.launch_plan(
        (4, 64, 300), "float16", statistics=("mean",), data_format="channels_first"
    )
    assert last["forward"]["slabs"] == 4
    assert first["forward"]["slabs"] == 4 * 64
    assert last["forward"]["vector_width"] == 8
    unaligned = statpool.launch_plan((4, 300, 64), "float16", alignment=2)
    assert unaligned["forward"]["vector_width"] == 1
    small, large = (
        statpool.launch_plan((1, 10**6, 8), multiprocessors=n) for n in (1, 132)
    )
    assert small["forward"]["splits"] < large["forward"]["splits"]
    turing, hopper = (
        statpool.launch_plan((64, 64, 512), architecture=number) for number in (75, 90)
    )
    assert turing["forward"]["shared_bytes"] < hopper["forward"]["shared_bytes"]
    assert statpool.launch_plan((0, 3, 4))["forward"]["grid"] == 0


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
