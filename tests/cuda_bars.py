"""Prints the bars of docs/cuda.md: what the kernels' work is held to.

    python tests/cuda_bars.py [CUBIN ...]

Machine code is read from the native library as it is built, or from cubins, one
architecture each; PTX instructions are counted by the emulator. Needs nvcc, but no
GPU, and takes a minute.
"""

import json
import math
import re
import subprocess
import sys
import tempfile

import cuda_launchers
import machine_code
import numpy as np
from cases import Case
from native_build import ROOT

from statpool import launch_plan

SASSMODEL = ROOT / "tools" / "sassmodel"
sys.path.append(str(SASSMODEL / "src"))

from cubin import arch_of, cubins_of, resources_of  # noqa: E402
from loops import Graph  # noqa: E402
from sass import disassemble  # noqa: E402

MULTIPROCESSORS = 132  # of an H100
# The cards that are asked about, by the architecture whose code they run.
CARDS = {"80": "RTX4090", "90": "H100,H200", "100": "B200"}
# Kernels that are modelled, and how: a gradient's loads may be under a predicate.
MODELLED = (
    (r"ForwardKernel<\w+, (8|4|2), Default", ()),
    (r"ForwardKernel<\w+, (8|4|2), MeanStd", ()),
    (r"GradientKernel<\w+, (8|4|2), Default", ("--guarded",)),
)
FORWARD_BYTES = [
    (shape, dtype)
    for shape in ((64, 1500, 512), (16, 2580, 128))
    for dtype in ("float32", "bfloat16")
]
# [B, T, C], dtype, layout, share that is masked
INSTRUCTIONS = [
    ((64, 1500, 512), "float32", "channels_first", 0),
    ((64, 1504, 512), "float32", "channels_first", 0),
    ((64, 1500, 512), "bfloat16", "channels_first", 0),
    ((64, 1504, 512), "bfloat16", "channels_first", 0),
    ((256, 16, 2048), "float32", "channels_first", 0),
    ((64, 1500, 512), "float32", "channels_last", 0),
    ((64, 1500, 512), "bfloat16", "channels_last", 0),
    ((64, 1500, 512), "float32", "channels_last", 0.25),
    ((64, 1500, 512), "bfloat16", "channels_last", 0.25),
]
UNSPLIT, SPLIT = (2, 40, 128), (1, 12_800, 8)


def shares(cubins):
    """Yields what share of DRAM's bandwidth the model says at least, by kernel."""
    for kernel, options in MODELLED:
        found = {}
        for cubin in cubins:
            if cards := CARDS.get(arch_of(cubin)):
                for name, of_cards in _shares_of(cubin, kernel, cards, *options):
                    found.setdefault(name, {}).update(of_cards)
        for name, of_cards in found.items():
            yield _words_of(name), of_cards


def _shares_of(cubin, kernel, cards, *options):
    command = [
        sys.executable,
        SASSMODEL / "sassmodel",
        cubin,
        "--json",
        "--kernel",
        kernel,
    ]
    command += ["--card", cards, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "no kernel matches" in done.stderr:  # of a file with others
        return
    done.check_returncode()
    for record in json.loads(done.stdout):
        answers = record["cards"].items()
        yield record["kernel"], {card: answer["share"] for card, answer in answers}


def _words_of(kernel):
    """As "forward bfloat16" of a kernel's name."""
    pattern = r"GlobalStats(\w+)Kernel<(\w+), \d, (\w+)"
    name, dtype, selection = re.match(pattern, kernel).groups()
    names = {"float": "float32", "double": "float64"}
    statistics = "mean + std, " if selection.startswith("MeanStd") else ""
    return f"{statistics}{name.lower()} {names.get(dtype, dtype.lower())}"


def instructions_before_x(cubin):
    """Yields how many instructions come before the first 16-byte load of a kernel."""
    targets = {name: of["targets"] for name, of in resources_of(cubin).items()}
    for name, code in disassemble(cubin, None).items():
        kernel = machine_code.kernel_of(name)
        if kernel is None or not (kernel.is_wide and kernel.statistics == "default"):
            continue
        if kernel.dtype not in ("float32", "bfloat16"):
            continue
        graph = Graph(code, targets[name])
        yield (
            f"{kernel.pass_name.lower()} {kernel.dtype}",
            _before_load(graph, code.code),
        )


def _before_load(graph, code):
    """The instructions before the first 16-byte load, on the shortest way to one."""
    loads = {}
    for number, block in enumerate(graph.blocks):
        for i, k in enumerate(block):
            if code[k].name in ("LDG", "LDGSTS") and code[k].width == 16:
                loads.setdefault(number, i)
    begins = {0: 0}
    for block in graph.order:
        if block not in begins:
            continue
        # The fast way of a division is longer than the call of the slow one.
        calls = sum(code[k].name == "CALL" for k in graph.blocks[block])
        end = begins[block] + len(graph.blocks[block]) + 1000 * calls
        for following in graph.successors[block]:
            if graph.rank[following] > graph.rank[block]:
                begins[following] = min(end, begins.get(following, end))
    return min(begins[b] + i for b, i in loads.items() if b in begins)


def bytes_over_floor(shape, dtype):
    """By how much a forward pass on an H100 moves more than x."""
    plan = launch_plan(shape, dtype, multiprocessors=MULTIPROCESSORS)["forward"]
    size = {"float32": 4, "bfloat16": 2}[dtype]
    moved = plan["bytes_read"] + plan["bytes_written"]
    return moved / (math.prod(shape) * size) - 1


def smaller_call(shape, dtype, layout):
    """A call [B, T, C] for fewer multiprocessors, each of which does the same."""
    batch, time, channels = shape
    wanted = _way_of(shape, dtype, layout, MULTIPROCESSORS)
    for count in range(1, MULTIPROCESSORS):
        if layout == "channels_first":
            slabs = batch * channels * count // MULTIPROCESSORS
            smaller = (1, time, slabs)
        else:
            smaller = (max(batch * count // MULTIPROCESSORS, 1), time, channels)
        if _way_of(smaller, dtype, layout, count) == wanted:
            return smaller, count
    raise AssertionError(f"no smaller call goes like {shape} {dtype} {layout}")


def _way_of(shape, dtype, layout, multiprocessors):
    """What of a plan decides how many instructions a byte takes."""
    batch, time, channels = shape
    if layout == "channels_first":
        shape = batch, channels, time
    options = {"data_format": layout, "multiprocessors": multiprocessors}
    plan = launch_plan(shape, dtype, **options)["forward"]
    names = "vector_width", "threads_x", "threads_y", "splits"
    return [plan[name] for name in names]


def warp_instructions(cuda, shape, dtype, layout, masked):
    """PTX instructions of a warp for 512 bytes of x, of a whole forward pass."""
    smaller, multiprocessors = smaller_call(shape, dtype, layout)
    case = Case(*smaller, dtype, data_format=layout)
    mask = np.random.default_rng(0).random(smaller[:2]) >= masked if masked else None
    options = {"data_format": layout, "multiprocessors": multiprocessors}
    launches, moved = _launches(cuda, case.x(), mask, **options)
    thread_instructions = sum(launch["thread_instructions"] for launch in launches)
    return thread_instructions / 32 / (moved / 512)


def launches(cuda, shape, gradient=False):
    """How many kernels a pass takes."""
    case = Case(*shape)
    return len(_launches(cuda, case.x(), gradient=gradient)[0])


def _launches(cuda, x, mask=None, gradient=False, **options):
    options["statistics"] = "mean", "max", "l2"
    with cuda_launchers.Pooling(cuda, x, mask, **options) as pooling:
        cuda.reset_counts()
        y = pooling.forward()
        if gradient:
            cuda.reset_counts()
            pooling.gradient(np.ones_like(y))
        return cuda.counts(), x.nbytes


def main() -> None:
    """Prints the table."""
    print("| what | now |\n|---|--:|")

    def tell(what, *values):
        print(f"| {what} | {' / '.join(map(str, values))} |", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        files = sys.argv[1:] or [str(machine_code.LIBRARY)]
        cubins = [c for f in files for c in cubins_of(f, None, folder)]
        for what, of_cards in shares(cubins):
            values = [f"{share:.0%}" for share in of_cards.values()]
            tell(f"{what}: share on {' / '.join(of_cards)}", *values)
        for cubin in cubins:
            if arch_of(cubin) == "90":
                for what, count in instructions_before_x(cubin):
                    tell(f"{what}: instructions before x", count)
    for shape, dtype in FORWARD_BYTES:
        tell(
            f"{shape} {dtype}: over the floor", f"{bytes_over_floor(shape, dtype):.1%}"
        )
    cuda = cuda_launchers.load()
    for shape, dtype, layout, masked in INSTRUCTIONS:
        count = warp_instructions(cuda, shape, dtype, layout, masked)
        padding = f", {masked:.0%} masked" if masked else ""
        what = f"{shape} {dtype} {layout}{padding}: instructions for 512 bytes"
        tell(what, f"{count:.0f}")
    tell(
        "launches: forward / with splits / gradient",
        launches(cuda, UNSPLIT),
        launches(cuda, SPLIT),
        launches(cuda, SPLIT, gradient=True),
    )


if __name__ == "__main__":
    main()
