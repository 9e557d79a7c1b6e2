"""Runs simulate.cc on a way round a loop."""

import dataclasses
import hashlib
import os
import re
import subprocess
from pathlib import Path

from loops import Loop
from machines import WARP, Card, Machines
from sass import Instruction, Kernel

# Kinds of instructions, as in simulate.cc.
PLAIN, LOAD, STORE, ASYNC_COPY, COMMIT, WAIT_GROUPS, BLOCK_BARRIER = range(7)

BUSY = 0.85  # a resource held for this share of the time is what limits
FILLED = 0.97  # of DRAM: the rest is the ramp of the simulation
ITERATIONS = 40
OTHER_LATENCY = 6  # clocks; of what hardly ever signals a scoreboard

_CORE = Path(__file__).with_name("simulate.cc")
_ATOMICS = ("ATOM", "ATOMG", "RED", "REDG")
_LANE_EXCHANGES = ("SHFL", "MATCH", "REDUX", "CREDUX")


class NoSteadyStateError(Exception):
    """Too slow for the time that simulate.cc takes at most."""


@dataclasses.dataclass
class _Op:
    """What simulate.cc wants to know of an instruction, beside its control code."""

    hold: int  # clocks that it keeps a unit
    latency: int  # clocks to the result
    kind: int = PLAIN
    bytes: int = 0  # of DRAM traffic by the warp
    groups: int = 0  # of asynchronous copies that may remain


class Trace:
    """A way round a loop as simulate.cc reads it, on the pipes of one architecture.

    Attributes:
      lines: units and instructions.
      notes: what the simulation does not see.
    """

    def __init__(self, kernel: Kernel, loop: Loop, machines: Machines, arch: str):
        self._machines = machines
        self._arch = arch
        self._width = kernel.code[loop.loads[0]].width
        path = [kernel.code[k] for k in loop.path]
        self._waits_for_groups = any(x.name == "LDGDEPBAR" for x in path)
        units: dict[str, int] = {}
        ops = []
        for x in path:
            pipe = machines.pipe[x.row, arch]
            names = [] if pipe == "-" else re.split(r"[|+]", pipe)
            numbers = [units.setdefault(name, len(units)) for name in names]
            op = self._op(x, names, takes_all="+" in pipe)
            ops.append(
                f"op {op.hold} {op.latency} {x.stall} {x.write_barrier} "
                f"{x.read_barrier} {x.wait_mask} {op.kind} {op.bytes} {op.groups} "
                f"{int('+' in pipe)} {' '.join(map(str, numbers))} -1"
            )
        self.lines = [f"unit {n.rstrip('*')} {int(n.endswith('*'))}" for n in units]
        self.lines += ops
        self.notes = sorted({note for x in path for note in self._notes(x)})

    def _op(self, x: Instruction, units: list[str], takes_all: bool) -> _Op:
        machines, row = self._machines, x.row
        rate = machines.rate[row, self._arch]
        is_shared = any(name.endswith("*") for name in units)
        alternatives = 1 if takes_all else max(1, len(units))
        lanes = WARP if is_shared else 4 * WARP * alternatives
        latency = machines.latency.get(row, OTHER_LATENCY)
        if row in ("FP64", "F2F64") and is_shared:
            latency = machines.latency["FP64*"]
        op = _Op(hold=round(lanes / rate), latency=latency)
        if row == "LSU" and not x.never:
            self._set_access(op, x)
        elif x.name == "LDGDEPBAR":
            op.kind = COMMIT
        elif x.name == "DEPBAR" and self._waits_for_groups:
            wait = re.search(r"SB0, (0x[0-9a-f]+)", x.operands)
            op.kind, op.groups = WAIT_GROUPS, int(wait[1], 16) if wait else 0
        elif x.name == "BAR" and "SYNC" in x.opcode:
            op.kind = BLOCK_BARRIER
        return op

    def _set_access(self, op: _Op, x: Instruction) -> None:
        if x.name not in _LANE_EXCHANGES:
            bytes_per_clock = self._machines.limit["LSU_BYTES"]
            op.hold = max(1, round(x.width * WARP / bytes_per_clock))
        if x.name in ("STG", "ST"):
            op.kind, op.bytes = STORE, x.width * WARP
        elif x.name in ("LDG", "LD", "LDGSTS") and x.width >= self._width:
            op.kind = ASYNC_COPY if x.name == "LDGSTS" else LOAD
            op.bytes = x.width * WARP
        elif self._is_narrow_load(x):
            op.latency = self._machines.latency["L2"]

    def _is_narrow_load(self, x: Instruction) -> bool:
        return x.name in ("LDG", "LD") and x.width < self._width

    def _notes(self, x: Instruction):
        if self._is_narrow_load(x) and not x.never:
            yield "narrower global loads: taken to hit L2, without DRAM traffic"
        if x.name in _ATOMICS and not x.never:
            yield "atomics in the loop: modelled as shared memory"
        if re.match(r"U(BLKCP|TMALDG|BLKPF)|SYNCS", x.name):
            yield "bulk copies (TMA) in the loop: their traffic is not modelled"
        if x.name == "CALL":
            yield "calls in the loop: what they do is not modelled"


class Result:
    """What simulate.cc says of a run.

    Attributes:
      bytes_per_clock: that the SM moves.
      issue: share of the issue slots used.
      loads: most loads of a warp in flight.
      units: share of the time that each is held, by name.
    """

    def __init__(self, line: str):
        cells = line.split()
        if cells[0] == "error":
            raise NoSteadyStateError
        self.bytes_per_clock, self.issue = float(cells[0]), float(cells[1])
        self.loads = int(cells[2])
        shares = (cell.split("=") for cell in cells[3:])
        self.units = {name: float(share) for name, share in shares}

    def busiest(self) -> tuple[str, float]:
        """Returns the resource that is held for the largest share, and that share."""
        shares = {f"pipe {name}": share for name, share in self.units.items()}
        shares["issue slots"] = self.issue
        return max(shares.items(), key=lambda item: item[1])

    def limit(self, warps: int) -> str:
        """Returns what holds it back with DRAM out of the way."""
        name, share = self.busiest()
        return name if share >= BUSY else f"latency ({warps} warps)"


@dataclasses.dataclass
class Run:
    """A run of simulate.cc, in the order in which it reads it."""

    warps: int
    block_warps: int
    bytes_per_clock: float
    latency: int
    iterations: int = ITERATIONS


class Simulator:
    """simulate.cc, compiled where it has not been, one file per version of it."""

    def __init__(self, machines: Machines, build_folder: str):
        self._l2_bytes = machines.limit["L2_BYTES"]
        key = hashlib.sha256(_CORE.read_bytes()).hexdigest()[:12]
        core = Path(build_folder) / f"simulate-{key}"
        if not core.exists():
            core.parent.mkdir(parents=True, exist_ok=True)
            partial = f"{core}.{os.getpid()}"  # another process may build it too
            command = ["g++", "-std=c++17", "-O2", "-o", partial, str(_CORE)]
            subprocess.run(command, check=True)
            os.replace(partial, core)
        self._core = str(core.resolve())

    def simulate(self, trace: Trace, runs: list[Run]) -> list[Result]:
        """Returns a result for each run."""
        values = (map(str, dataclasses.astuple(run)) for run in runs)
        lines = trace.lines + [f"run {' '.join(cells)}" for cells in values]
        done = subprocess.run(
            [self._core],
            input="\n".join(lines),
            capture_output=True,
            text=True,
            check=True,
        )
        return [Result(line) for line in done.stdout.splitlines()]

    def model(self, trace: Trace, card: Card, warps: int, block_warps: int) -> dict:
        """Returns the answer for one loop on one card.

        Args:
          trace: of the loop on the pipes of the card.
          card: the card.
          warps: on an SM.
          block_warps: of a block.
        """
        need, unlimited = card.need, self._l2_bytes
        runs = [
            Run(warps, block_warps, bandwidth, round(latency))
            for latency in (card.loaded, card.idle)
            for bandwidth in (unlimited, need)
        ]
        capacity, share, idle_capacity, idle_share = self.simulate(trace, runs)
        limit = capacity.limit(warps)
        if capacity.bytes_per_clock >= FILLED * unlimited:
            limit = "L2 port"
        if share.bytes_per_clock < FILLED * need <= idle_share.bytes_per_clock:
            # Whatever else is busy, with less latency it would do.
            limit = f"latency ({warps} warps)"
        return {
            "warps": warps,
            "need": need,
            "capacity": capacity.bytes_per_clock,
            "capacity_idle": idle_capacity.bytes_per_clock,
            "ratio": capacity.bytes_per_clock / need,
            "share": min(1.0, share.bytes_per_clock / need),
            "share_idle": min(1.0, idle_share.bytes_per_clock / need),
            "limit": "DRAM" if share.bytes_per_clock >= FILLED * need else limit,
            "next": limit,
            "busiest": capacity.busiest(),
        }

    def loads_in_flight(self, trace: Trace) -> int:
        """Returns the most loads that a warp has in flight.

        With a latency that nothing hides, a warp alone shows it.
        """
        alone = Run(1, 1, bytes_per_clock=1e6, latency=10**5, iterations=4)
        return self.simulate(trace, [alone])[0].loads
