"""Prints the tables of docs/cuda.md: what kernels take, and what calls move.

    python -m tests.programs.cuda_resources

Reads the native library as it is built; needs cuobjdump, but no GPU.
"""

import math

from statpool import launch_plan
from tests.support import machine_code

PASSES = ("Forward", "Join", "Gradient")
CALLS = [
    ((64, 1500, 512), "float32"),
    ((64, 1500, 512), "bfloat16"),
    ((16, 2580, 128), "float32"),
    ((64, 1500, 5), "float32"),
    ((1, 1_000_000, 8), "float32"),
]


def resources_table(usages: dict) -> str:
    """Writes a row per kernel; ranges are over the architectures."""
    rows = [
        "| kernel | x | elements | statistics | threads | registers | shared bytes "
        "| blocks |",
        "|---|---|--:|---|--:|--:|--:|---|",
    ]
    kernels = sorted(
        {kernel for kernels in usages.values() for kernel in kernels},
        key=lambda kernel: (PASSES.index(kernel.pass_name), kernel),
    )
    for kernel in kernels:
        of_kernel = {name: kernels[kernel] for name, kernels in usages.items()}
        rows.append(
            f"| {kernel.pass_name.lower()} | {kernel.dtype} | {kernel.vector_width} "
            f"| {kernel.statistics} | {kernel.block_threads} "
            f"| {_range(usage.registers for usage in of_kernel.values())} "
            f"| {_range(usage.shared for usage in of_kernel.values())} "
            f"| {_blocks(kernel, of_kernel)} |"
        )
    return "\n".join(rows)


def registers_table(usages: dict) -> str:
    """Writes the 16-byte kernels: registers and warps on each architecture."""
    kernels = sorted(
        {
            kernel
            for kernels in usages.values()
            for kernel in kernels
            if kernel.is_wide and kernel.statistics == "default"
        }
    )
    titles = [f"{kernel.pass_name.lower()} {kernel.dtype}" for kernel in kernels]
    rows = ["| | " + " | ".join(titles) + " |", "|---|" + "--:|" * len(kernels)]
    for architecture, of in usages.items():
        cells = []
        for kernel in kernels:
            usage = of[kernel]
            blocks = usage.blocks(architecture, kernel.block_threads)
            warps = blocks * kernel.block_threads // 32
            most = machine_code.most_warps(architecture)
            cells.append(f"{usage.registers} / {warps} of {most}")
        rows.append(f"| {architecture} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def bytes_table() -> str:
    """Writes what calls move on an H100: x once, and x and its gradient once."""
    rows = [
        "| x | splits | forward MB | of the floor | gradient MB | of the floor |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for shape, dtype in CALLS:
        plan = launch_plan(shape, dtype, multiprocessors=132)
        of_x = math.prod(shape) * {"float32": 4, "bfloat16": 2}[dtype]
        cells = [f"{shape} {dtype}", str(plan["forward"]["splits"])]
        for name, floor in (("forward", of_x), ("gradient", 2 * of_x)):
            moved = plan[name]["bytes_read"] + plan[name]["bytes_written"]
            cells += [f"{moved / 1e6:.2f}", f"{moved / floor:.3f}"]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _range(values) -> str:
    low, *rest = sorted(set(values))
    return f"{low} to {rest[-1]}" if rest else str(low)


def _blocks(kernel, of_kernel) -> str:
    return _range(usage.blocks(kernel, name) for name, usage in of_kernel.items())


def main() -> None:
    """Prints the tables."""
    usages = machine_code.usages_of()
    if not usages:
        raise SystemExit("This build has no CUDA kernels: there is nothing to tabulate")
    print(resources_table(usages))
    print()
    print(registers_table(usages))
    print()
    print(bytes_table())


if __name__ == "__main__":
    main()
