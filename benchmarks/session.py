"""Goes through the cells: checks, times and writes rows."""

import dataclasses
import re
import textwrap
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from benchmarks import cases, correctness, formats, limits, measure
from benchmarks.providers import Provider, engine_module
from benchmarks.results import Row, Writer

_MOST_TRAINED_ON_CPU = 32 << 20  # bytes of the pooling's input; more takes minutes
_GRAPH_NODE = re.compile(r"\{\{.*?\}\}")
_OUT_OF_MEMORY = re.compile(r"out of memory|oom when|resource.?exhausted", re.I)


class _Contender(NamedTuple):
    """Something that takes part in a cell, a provider or a limit, and its row."""

    row: Row
    samples: measure.Samples


class Session:
    """One run of the suite."""

    def __init__(
        self,
        providers: Iterable[Provider],
        writer: Writer,
        device: str,
        budget: float,
        wanted: Callable[[str], bool] = lambda label: True,
        say: Callable[[str], None] = print,
    ):
        self._writer, self._say = writer, say
        self._device, self._budget, self._wanted = device, budget, wanted
        self.beaten = []  # rows that were faster than their limit, which is none then
        self.wrong = []  # rows in which statpool's own numbers weren't right
        self._checker = correctness.Checker()
        self._memory = limits.MemoryLimits()
        self._engines = {}
        self._case, self._arrays, self._placed = None, None, {}
        self._providers = [p for p in providers if self._can_run(p)]

    def wants(self, cell: cases.Cell) -> bool:
        """Whether a provider takes part in the cell."""
        return any(self._takes_part(p, cell) for p in self._providers)

    def run_cell(self, cell: cases.Cell) -> None:
        """Measures a cell; an interrupt keeps the samples taken until then."""
        providers = [p for p in self._providers if self._takes_part(p, cell)]
        contenders = []
        try:
            contenders += self._prepare_limits(cell, {p.engine for p in providers})
            for provider in providers:
                contenders += self._prepare(provider, cell, len(providers))
            measure.take_rounds([c.samples for c in contenders], self._budget)
        finally:
            self._write(cell, [c for c in contenders if c.samples.seconds])

    def _can_run(self, provider: Provider) -> bool:
        """Finds out on a tiny input; a provider that can't run gets one line."""
        tiny = cases.Case(2, 3, 2)
        try:
            if provider.engine not in self._engines:
                engine = engine_module(provider.engine).create(self._device)
                self._engines[provider.engine] = engine
            engine = self._engines[provider.engine]
            placed = engine.place(cases.make_inputs(tiny))
            engine.outputs(provider, cases.FORWARD, tiny, placed)
        except Exception as error:  # whatever it is, the others go on
            reason = _first_line(error)
            self._say(f"left out: {provider.name}: {reason}")
            self._writer.add(_row(provider, status="left out", reason=reason))
            self.wrong += [f"{provider.name}: left out"] * provider.ours
            return False
        return True

    def _takes_part(self, provider: Provider, cell: cases.Cell) -> bool:
        engine, label = self._engines[provider.engine], f"{cell.label} {provider.name}"
        fits = self._device == "gpu" or cell.case.input_bytes <= _MOST_TRAINED_ON_CPU
        is_step = cell.dispatch == "step"
        takes_part = provider.trains and fits if is_step else not provider.inside
        handles = engine.handles(provider, cell) and provider.handles(cell.case)
        return takes_part and handles and self._wanted(label)

    def _inputs(self, case: cases.Case) -> cases.Inputs:
        """Inputs of a case, kept for the next cell of the same case."""
        if self._case != case:
            self._case, self._arrays, self._placed = None, None, {}  # frees the last
            self._arrays, self._case = cases.make_inputs(case), case
        return self._arrays

    def _prepare_limits(self, cell, engines) -> list[_Contender]:
        if cell.dispatch == "step":
            return []
        arrays, found = self._inputs(cell.case), []
        try:
            for name in engines:
                found += self._engines[name].limits(cell, arrays)
            if self._device == "cpu" and limits.is_memory_bound(cell):
                found += self._memory.limits(cell.case, arrays.x)
        except Exception as error:
            self._say(f"no limits for {cell.label}: {_first_line(error)}")
            return []
        contenders = []
        for name, runner, moved in found:
            machine = Provider(name, engine="machine")
            row = _row(machine, cell, status="limit", bytes=moved)
            samples = measure.calibrate(runner, self._budget)
            contenders.append(_Contender(row, samples))
        return contenders

    def _prepare(self, provider, cell, contenders) -> list[_Contender]:
        """Checks and calibrates; writes the row at once where it won't be timed."""
        moved = cell.case.moved_bytes(cell.mode, len(provider.statistics))
        row, timed = _row(provider, cell, bytes=moved or None), []
        try:
            runner, verdict = self._runner_and_verdict(provider, cell, row)
            row.status, row.reason = verdict.status, verdict.reason
            row.error = verdict.error if np.isfinite(verdict.error) else None
            if self._engines[provider.engine].has_clock:
                samples = measure.calibrate(runner, self._budget, contenders)
                timed = [_Contender(row, samples)]
        except Exception as error:
            row.status, row.reason = "failed", _first_line(error)
            if isinstance(error, MemoryError) or _OUT_OF_MEMORY.search(str(error)):
                row.status = "out of memory"
        if provider.ours and row.status != correctness.OK:
            self.wrong.append(f"{cell.label} {provider.name}: {row.status}")
        if not timed:
            self._say(f"{provider.name} in {cell.label}: {row.status} {row.reason}")
            self._writer.add(row)
        return timed

    def _runner_and_verdict(self, provider, cell, row):
        engine = self._engines[provider.engine]
        if cell.dispatch == "step":
            runner, loss, row.bytes, right = engine.training(provider, cell)
            return runner, correctness.judge_loss(loss, right, cell.case.dtype)
        arrays = self._inputs(cell.case)
        if provider.engine not in self._placed:
            self._placed[provider.engine] = engine.place(arrays)
        placed = self._placed[provider.engine]
        verdict = self._checker.check(engine, provider, cell, arrays, placed)
        return engine.runner(provider, cell, placed), verdict

    def _write(self, cell: cases.Cell, contenders: list[_Contender]) -> None:
        medians = {c.row.provider: np.median(c.samples.seconds) for c in contenders}
        for row, samples in contenders:
            quantiles = np.quantile(samples.seconds, [0.2, 0.5, 0.8])
            row.seconds_q20, row.seconds, row.seconds_q80 = map(float, quantiles)
            row.samples, row.calls_per_sample = len(samples.seconds), samples.calls
            if row.bytes:
                row.gb_per_s = row.bytes / row.seconds / 1e9
            if row.status != "limit":
                row.limit, row.limit_seconds = limits.limit_of(cell.mode, medians)
            if row.limit_seconds:
                row.share_of_limit = row.limit_seconds / row.seconds
                if row.share_of_limit > limits.BEATEN:
                    self.beaten.append(f"{cell.label} {row.provider}")
            self._writer.add(row)
            self._say(f"  {formats.measured(row)}")


def _row(provider: Provider, cell: cases.Cell | None = None, **known) -> Row:
    if cell is not None:
        case = dataclasses.asdict(cell.case)
        known |= {"mode": cell.mode, "dispatch": cell.dispatch, **case}
    identity = provider.name, provider.engine, provider.ours, provider.compiled
    return Row(*identity, **known)


def _first_line(error: Exception) -> str:
    lines = _GRAPH_NODE.sub("", str(error)).strip().splitlines() or [""]
    return textwrap.shorten(f"{type(error).__name__}: {lines[0]}", 200)
