"""The machine code that nvcc made of the kernels keeps what their source promises."""

import re

import pytest

from tests.support import machine_code
from tests.support.cases import DTYPES
from tests.support.machine_code import Code, Kernel, Usage

REGISTERS = 65536  # of a multiprocessor, on every architecture
LOADS_IN_FLIGHT = 4
# The selections that kernels are compiled for: the first two also where vectors aren't
# wide, or of one channel.
KNOWN = {
    "Forward": ["default", "mean+std", "mean", "max"],
    "Join": ["default", "mean+std"],
    "Gradient": ["default", "mean+std"],
}


@pytest.fixture(scope="module")
def codes(usages):
    """Each kernel's instructions, read once: {architecture: {kernel: code}}."""
    return machine_code.codes_of()


def broken_by_usage(kernel: Kernel, usage: Usage) -> list[str]:
    """Which promises a kernel's registers and memory break."""
    registers = -(-usage.registers // 8) * 8  # as they are handed out
    registers *= kernel.promised_blocks * kernel.block_threads
    broken = {"local memory": usage.stack or usage.local}
    broken |= {"registers": registers > REGISTERS}
    return [promise for promise in broken if broken[promise]]


def broken_by_code(kernel: Kernel, code: Code) -> list[str]:
    """Which promises a kernel's instructions break."""
    broken = {"spills": code.local_accesses}
    if kernel.pass_name != "Join" and kernel.is_wide:
        broken["loads in flight"] = code.in_flight < LOADS_IN_FLIGHT
        broken["stores"] = kernel.pass_name == "Gradient" and not code.wide_stores
    return [promise for promise in broken if broken[promise]]


def test_every_kernel_is_there_for_every_architecture(usages, codes):
    expected = set()
    for dtype in DTYPES:
        widest = 16 // Kernel("Join", dtype, 1, "any").element_bytes
        for pass_name, known in KNOWN.items():
            for statistics in ("any", *known[:2]):
                expected.add(Kernel(pass_name, dtype, 1, statistics))
            if pass_name != "Join":
                for statistics in ("any", *known):
                    expected.add(Kernel(pass_name, dtype, widest, statistics))
            if pass_name == "Forward":
                for statistics in known[:2]:
                    expected.add(Kernel(pass_name, dtype, widest, statistics, True))
    assert usages.keys() == codes.keys()
    for architecture in usages:
        assert usages[architecture].keys() == expected
        assert codes[architecture].keys() == expected


def spills_two_registers(architecture, kernel):
    """The one kernel that does, 8 bytes, since it knows activations: 255 are used."""
    statistics = kernel.statistics, kernel.dtype, kernel.vector_width
    forward = kernel.pass_name == "Forward" and not kernel.is_one_channel
    return forward and (architecture, *statistics) == ("sm_80", "any", "bfloat16", 8)


def test_registers_and_memory(usages):
    for architecture, kernels in usages.items():
        for kernel, usage in kernels.items():
            where = architecture, kernel, usage
            if spills_two_registers(architecture, kernel):
                assert usage.stack == 8, where
                continue
            assert not broken_by_usage(kernel, usage), where
            blocks = usage.blocks(architecture, kernel.block_threads)
            assert blocks >= kernel.promised_blocks, where


def test_instructions(codes):
    for architecture, kernels in codes.items():
        for kernel, code in kernels.items():
            if spills_two_registers(architecture, kernel):
                assert code.local_accesses <= 3, (architecture, kernel, code)
                continue
            assert not broken_by_code(kernel, code), (architecture, kernel, code)


def test_promises_are_those_of_the_source(usages):
    """What __launch_bounds__ says is in the PTX that the library carries, if any."""
    printed = machine_code.run_tool("cuobjdump", "-ptx", machine_code.LIBRARY)
    entries = re.findall(
        r"\.entry (\w+)\(.*?\)\s*\.maxntid (\d+)[^\n]*\n(?:\.minnctapersm (\d+))?",
        printed,
        flags=re.DOTALL,
    )
    if not entries:
        pytest.skip("this build has machine code only, no PTX")
    for symbol, threads, blocks in entries:
        kernel = machine_code.kernel_of(symbol)
        if kernel is None:
            assert "StoreLengthsKernel" in symbol  # the only one that pools nothing
            continue
        assert int(threads) == kernel.block_threads, symbol
        assert int(blocks or 1) == kernel.promised_blocks, symbol


# --------------------------------------------------------------------------------------
# The checks notice what they are for.

WIDE = Kernel("Gradient", "float32", 4, "default")


def instructions(*lines):
    """Writes instructions as nvdisasm does; names that end in a colon are labels."""
    return "\n".join(
        line if line.endswith(":") else f"        /*{16 * i:04x}*/        {line} ;"
        for i, line in enumerate(lines)
    )


def load(register, address="R2"):
    return f"LDG.E.128 R{register}, desc[UR4][{address}.64]"


READS = ["FADD R9, R43, R9", "@P0 FADD R9, R9, R41", "STG.E desc[UR4][R6.64], R40"]
LOADS = [load(40), load(44), load(48), load(52)]
STORE = "@!P1 STG.E.128 desc[UR4][R6.64], R40"
COPY = "@!P0 LDGSTS.E.BYPASS.128 [R91+0x1000], desc[UR10][R10.64]"
WAIT = "DEPBAR.LE SB0, 0x1"
ARM = ["BRA `(.L_x_2)", ".L_x_1:", "CS2R R40, SRZ", ".L_x_2:"]
IN_FLIGHT = {
    "all four": (4, [*LOADS, "FADD R9, R40, R9"]),
    **{f"{use} after two": (2, [*LOADS[:2], use, *LOADS[2:]]) for use in READS},
    "copies until they are waited for": (4, [*[COPY] * 4, "LDGDEPBAR", WAIT]),
    "a wait after two copies": (2, [COPY, COPY, WAIT, COPY, COPY]),
    "an address that is loaded": (2, [*LOADS[:2], load(48, "R40"), load(52)]),
    "a path that ends": (2, [*LOADS[:2], "EXIT", *LOADS[2:]]),
    "a loop that ends": (2, [".L_x_1:", *LOADS[:2], "BRA `(.L_x_1)", *LOADS[2:]]),
    "the arm of masked steps": (4, ["@P0 BRA `(.L_x_1)", LOADS[0], *ARM, *LOADS[1:]]),
}


@pytest.mark.parametrize("what", IN_FLIGHT)
def test_loads_in_flight_are_counted(what):
    in_flight, lines = IN_FLIGHT[what]
    code = machine_code.parse_code(instructions(*lines, STORE))
    assert code == Code(4, 1, in_flight, local_accesses=0)
    broken = [] if in_flight == 4 else ["loads in flight"]
    assert broken_by_code(WIDE, code) == broken


def test_narrow_loads_and_stores_are_found():
    narrow = [line.replace("E.128", "E.64") for line in [*LOADS, STORE]]
    code = machine_code.parse_code(instructions(*narrow))
    assert broken_by_code(WIDE, code) == ["loads in flight", "stores"]


@pytest.mark.parametrize("spill", ["STL [R1+0x8], R5", "LDL.LU R5, [R1+0x8]"])
def test_a_spill_is_found(spill):
    code = machine_code.parse_code(instructions(*LOADS, spill, STORE))
    assert broken_by_code(WIDE, code) == ["spills"]


SYMBOL = "_ZN8statpool4cuda25GlobalStatsGradientKernelIfLi4ENS_4core20Default"


@pytest.mark.parametrize(
    ("registers", "stack", "local", "broken"),
    [
        (128, 0, 0, []),
        (128, 8, 0, ["local memory"]),
        (128, 0, 16, ["local memory"]),
        (129, 0, 0, ["registers"]),
    ],
)
def test_usage_beyond_the_promise_is_found(registers, stack, local, broken):
    text = (
        f" Function {SYMBOL}GradientTermsE:\n"
        f"  REG:{registers} STACK:{stack} SHARED:0 LOCAL:{local} CONSTANT[0]:777"
    )
    [(kernel, usage)] = machine_code.parse_usage(text).items()
    assert kernel == WIDE
    assert broken_by_usage(kernel, usage) == broken
