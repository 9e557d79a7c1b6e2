"""What is known of the kernels of a file: resources, loops, and how cards run them."""

import argparse
import collections

from loops import Loop, loops_of
from machines import WARP, Machines, newest_that_runs, occupancy
from sass import Kernel
from simulation import NoSteadyStateError, Simulator, Trace

CLASSES = (
    "FP32",
    "ALU",
    "IMAD",
    "HALF",
    "FP64",
    "F2F64",
    "XU",
    "LSU",
    "UNI",
    "CTRL",
)
DEFAULT_THREADS = 256


class NotModelledError(Exception):
    """Says why a kernel is not modelled."""


class Describer:
    """Describes the kernels of a file."""

    def __init__(
        self,
        machines: Machines,
        simulator: Simulator,
        archs: set[str],
        options: argparse.Namespace,
    ):
        """Takes what all kernels have in common.

        Args:
          machines: the tables.
          simulator: built.
          archs: all that the file has cubins for.
          options: of the command line.
        """
        self._machines = machines
        self._simulator = simulator
        self._archs = archs
        self._options = options

    def describe(self, kernel: Kernel, name: str, arch: str, resources: dict) -> dict:
        """Returns the record of a kernel, as JSON has it.

        What is not modelled has an "error" in place of the answers.

        Args:
          kernel: its code.
          name: a readable one.
          arch: that it was compiled for.
          resources: as `cubin.resources_of` has them.
        """
        record = {
            "kernel": name,
            "arch": arch,
            "registers": resources["registers"],
            "shared": resources["shared"],
        }
        try:
            self._model(record, kernel, resources["targets"], resources["threads"])
        except NotModelledError as why:
            record["error"] = str(why)
        except NoSteadyStateError:
            record["error"] = "the simulation reached no steady state"
        return record

    def _model(self, record, kernel, targets, launch_bounds):
        """Adds to the record, as far as it comes."""
        machines, options = self._machines, self._options
        arch = machines.model_arch(record["arch"])
        if arch is None:
            raise NotModelledError(f"no rates for sm_{record['arch']}")
        threads = options.threads or launch_bounds or DEFAULT_THREADS
        shared = record["shared"] + options.dynamic_shared
        block = record["registers"], shared, threads
        warps, limit = occupancy(machines.sm[arch], *block)
        if options.warps:
            warps, limit = options.warps, "--warps"
        record |= {"threads": threads, "warps": warps, "warps_limit": limit}
        if warps == 0:
            raise NotModelledError("a block does not fit on an SM")
        loops = self._loops(kernel, targets)
        record["loops"] = [_outline(kernel, loop) for loop in loops]
        chosen = self._choose(loops)
        loop = loops[chosen]
        trace = Trace(kernel, loop, machines, arch)
        loads = self._simulator.loads_in_flight(trace)
        cards = self._cards(kernel, loop, record["arch"], block)
        path = [kernel.code[k] for k in loop.path]
        count = collections.Counter(machines.class_of[x.row] for x in path)
        record |= {
            "loop": chosen + 1,
            "bytes": options.bytes,
            "loads": loop.unguarded,
            "stores": sum(x.name in ("STG", "ST") for x in path),
            "per_load": {c: count[c] / loop.unguarded for c in CLASSES},
            "instructions": len(path) / loop.unguarded,
            "loads_in_flight": loads,
            "bytes_in_flight": loads * options.bytes * WARP * warps,
            "cards": cards,
            "notes": trace.notes,
        }

    def _loops(self, kernel, targets):
        options = self._options
        loops = loops_of(kernel, targets, options.bytes, options.guarded)
        if loops:
            return loops
        guarded = loops_of(kernel, targets, options.bytes, True)
        hint = "; there are guarded ones: --guarded" if guarded else ""
        raise NotModelledError(
            f"no loop with unguarded {options.bytes}-byte loads{hint}"
        )

    def _choose(self, loops):
        """The number of the loop to model, from 0."""
        options = self._options
        if options.loop:
            if options.loop > len(loops):
                raise NotModelledError(f"no loop {options.loop}")
            return options.loop - 1
        least = options.loads or max(loop.unguarded for loop in loops)
        for i, loop in enumerate(loops):
            if loop.unguarded >= least:
                return i
        raise NotModelledError(
            f"no loop with {least} unguarded {options.bytes}-byte loads"
        )

    def _cards(self, kernel, loop, arch, block):
        """The answer for each card on which a block fits."""
        machines = self._machines
        answers = {}
        for name, is_stand_in in self._cards_for(arch):
            card = machines.cards[name]
            warps = self._options.warps or occupancy(machines.sm[card.arch], *block)[0]
            if warps == 0:
                continue
            trace = Trace(kernel, loop, machines, card.arch)
            block_warps = -(-block[2] // WARP)
            answer = self._simulator.model(trace, card, warps, block_warps)
            answers[name] = answer | {"stand_in": is_stand_in}
        return answers

    def _cards_for(self, arch):
        """Yields cards, and whether the code stands in for some that they could run.

        Each card takes the newest code of the file that it can run. Those named by
        the user also take code that they can't run, where there is none that they can.
        """
        for name in self._options.card or self._machines.cards:
            own = newest_that_runs(self._archs, self._machines.cards[name].arch)
            if own == arch:
                yield name, False
            elif own is None and self._options.card:
                yield name, True


def _outline(kernel: Kernel, loop: Loop) -> dict:
    return {
        "loads": loop.unguarded,
        "guarded": loop.guarded,
        "instructions": len(loop.path),
        "address": hex(kernel.code[loop.path[0]].address),
    }
