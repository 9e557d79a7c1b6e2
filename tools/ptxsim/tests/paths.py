"""Counts the kernel of paths.ptx: its longest path and the work of its warps.

Usage: paths.py LIBCUDART LAUNCHERS
"""

import ctypes
import json
import os
import sys
from pathlib import Path

# What an instruction weighs; all others 1.
MOVE, DIVISION = 0.3, 34
BEGIN = 2 * MOVE + 3  # up to the branch of all threads but one around the loop
LOOP, CALLED = 3, 2
BARRIER = CALL = 1
PASSES = [1, 2]  # through the loop, in block 0 and 1


def mean(*blocks):
    """What is reported of the two blocks."""
    return round(sum(blocks) / 2, 1)


def counts(emulator, launchers):
    """Runs the kernel and returns what was counted."""
    os.environ["PTXSIM_PTX"] = str(Path(__file__).with_suffix(".ptx"))
    emulator = ctypes.CDLL(emulator, ctypes.RTLD_GLOBAL)
    emulator.ptxsim_stats_json.restype = ctypes.c_char_p
    emulator.ptxsim_reset_stats()
    assert ctypes.CDLL(launchers).LaunchPaths() == 0
    (launch,) = json.loads(emulator.ptxsim_stats_json())["launches"]
    return launch


def check(launch):
    """Compares with what paths.ptx says."""
    # Thread 0 has most to do up to the first barrier, thread 63 up to the second one,
    # thread 0 after that.
    first = [BEGIN + LOOP * n + CALL + CALLED + BARRIER for n in PASSES]
    second = 4 + DIVISION + BARRIER
    third = 2 + CALL + CALLED + 1
    assert launch["longest_path"] == [mean(*first), second, third]

    # A thread executes the called function twice in its life, the loop in one block.
    repeating = [2 * CALLED, 2 * CALLED + 2 * LOOP]
    assert launch["path_repeating"] == mean(*repeating)
    path = mean(*first) + second + third
    assert launch["path_once"] == round(path - mean(*repeating), 1)

    # Each instruction as often as by the lane that executes it most often.
    warp0 = BEGIN + 2 * (CALL + CALLED) + 3 * BARRIER + MOVE + 7
    warp1 = BEGIN + DIVISION + 2 * BARRIER + 7
    work = 2 * (warp0 + warp1) + LOOP * sum(PASSES)
    assert launch["warp_work"] == round(work, 1)
    assert launch["executed"] == {
        "add.u32": 2 * (2 + 2),
        "bar.sync": 2 * (3 + 2),
        "bra": 2 * (4 + 4) + sum(PASSES),
        "call": 2 * 2,
        "div.rn.f64": 2,
        "mov.u32": 2 * (3 + 2),
        "ret": 2 * (3 + 1),
        "setp.eq.u32": 2 * 2,
        "setp.ge.u32": 2 * 2,
        "setp.gt.u32": sum(PASSES),
        "setp.ne.u32": 2 * (2 + 2),
        "sub.u32": sum(PASSES),
    }


if __name__ == "__main__":
    check(counts(*sys.argv[1:]))
    print("finished")
