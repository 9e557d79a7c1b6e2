"""What plans take a multiprocessor to hold is what the machine code lets it hold."""

import pytest

import statpool
from tests.support import card_grid
from tests.support.machine_code import Kernel

# Multiprocessors, compute capability, and whose machine code runs there.
CARDS = {
    "H100": (132, 90, "sm_90"),
    "A100": (108, 80, "sm_80"),
    "RTX 4090": (128, 89, "sm_80"),
    "B200": (148, 100, "sm_100"),
}


def kernel_of(pass_name, plan, dtype, statistics):
    """The kernel that a plan launches."""
    names = {"mean+max+l2": "default"}
    is_one_channel = plan["width"] == 1 < plan["vector_width"]
    return Kernel(
        pass_name,
        dtype,
        plan["vector_width"],
        names.get(statistics, statistics),
        pass_name == "Forward" and is_one_channel,
    )


@pytest.mark.parametrize("card", CARDS)
def test_benchmarks_take_no_wave_more_than_planned(usages, card):
    multiprocessors, capability, code = CARDS[card]
    if code not in usages:
        pytest.skip(f"this build has no machine code for {code}")
    more = []
    for call in card_grid.calls(is_tiny=False):
        batch, time, channels = shape = call.shape
        if call.layout == "channels_first":
            shape = batch, channels, time
        plans = statpool.launch_plan(
            shape,
            call.dtype,
            statistics=call.statistics,
            data_format=call.layout,
            multiprocessors=multiprocessors,
            architecture=capability,
        )
        for pass_name in ("Forward", "Gradient"):
            plan = plans[pass_name.lower()]
            name = "+".join(call.statistics)
            usage = usages[code][kernel_of(pass_name, plan, call.dtype, name)]
            held = usage.blocks(f"sm_{capability}", plan["block"], plan["shared_bytes"])
            if held < plan["resident"]:
                more.append((call, pass_name, held, plan["resident"]))
    assert not more
