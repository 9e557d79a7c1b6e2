"""Checks a provider against the exact values of the tests before it is timed.

Three verdicts, by the bounds of the tests' oracle (tests/support/exact.py):

- "ok": within the contract.
- "imprecise": beyond it, but within what adding up one by one in the dtype of x may
  lose, T units, or a tenth if that is less.
- "wrong": beyond that, or not finite where the contract asks for a number.
"""

import dataclasses
from typing import NamedTuple

import ml_dtypes
import numpy as np

from benchmarks import cases
from tests.support import exact

OK, IMPRECISE, WRONG = "ok", "imprecise", "wrong"

_MOST_IMPRECISE = 0.1
_CHECKED_CHANNELS, _CHECKED_VALUES = 4, 1 << 17  # of the first example
_SAME_LOSS = {"float32": 1e-3, "bfloat16": 3e-2}  # relative, after one training step


class Verdict(NamedTuple):
    """The result of a check."""

    status: str
    reason: str  # says what is wrong; empty if nothing is
    error: float  # the largest, as a multiple of what the contract allows


class Expected(NamedTuple):
    """Exact values, and the errors that the contract and adding up one by one allow."""

    exact: np.ndarray
    contract: np.ndarray
    naive: np.ndarray  # one by one in the dtype of x


class Checker:
    """Checks on a small input, and on a slice of the input that is timed."""

    def __init__(self):
        self._small = {}
        self._arrays, self._expected = None, {}

    def check(self, engine, provider, cell, arrays, placed) -> Verdict:
        """Returns the verdict on a provider in a cell."""
        case = dataclasses.replace(
            cell.case, batch=3, time=33, channels=5, cache="warm"
        )
        key = (provider.name, cell.mode, case)
        if key not in self._small:
            small = cases.make_inputs(case)
            outputs = engine.outputs(provider, cell.mode, case, engine.place(small))
            self._small[key] = judge(outputs, expect(case, small, provider))
        if self._small[key].status == WRONG:
            return self._small[key]
        outputs = engine.outputs(provider, cell.mode, cell.case, placed)
        verdict = self._judge_slice(cell.case, arrays, provider, outputs)
        return max(self._small[key], verdict, key=lambda v: v.error)

    def _judge_slice(self, case, arrays, provider, outputs) -> Verdict:
        """Judges some channels; providers share exact values, which are slow."""
        if self._arrays is not arrays:
            self._arrays, self._expected = arrays, {}
        key = provider.epsilon, provider.statistics
        if key not in self._expected:
            mask = None if arrays.mask is None else arrays.mask[:1]
            x, upstream = _slice(case, arrays.x), _slice(case, arrays.upstream)
            part = cases.Inputs(x, upstream, mask)
            self._expected[key] = expect(case, part, provider)
        slices = [_slice(case, np.asarray(output)) for output in outputs]
        return judge(slices, self._expected[key])


def expect(case: cases.Case, arrays: cases.Inputs, provider) -> list[Expected]:
    """Computes what y and dx should be."""
    names, epsilon = provider.statistics, provider.epsilon
    upstream = arrays.for_statistics(len(names)).upstream
    last = case.layout == "channels_last"
    x = arrays.x if last else np.moveaxis(arrays.x, 1, 2)
    valid = np.ones(x.shape[:2], bool) if arrays.mask is None else arrays.mask
    bounded = exact.statistics(x, valid, epsilon)
    value, bound = (
        np.concatenate([getattr(bounded[s], part) for s in names], 1).astype(float)
        for part in ("value", "bound")
    )
    values = _expected(case, value, bound, exact.VALUE_UNITS)
    # float16 knows no epsilon of 1e-12: a norm without it is imprecise, not wrong.
    if names[-1] == "l2":
        values.naive[:, -x.shape[2] :] += np.sqrt(epsilon)
    gradient = exact.gradient(x, valid, upstream, names, epsilon)
    if not last:
        gradient = [np.moveaxis(part, 1, 2) for part in gradient]
    return [values, _expected(case, *gradient, exact.GRADIENT_UNITS)]


def _expected(case, value, bound, units) -> Expected:
    info = ml_dtypes.finfo(cases.numpy_dtype(case.dtype))
    unit = float(info.eps) / 2
    rounding = unit * np.abs(value) + float(info.smallest_subnormal)
    magnitude = bound / (units * float(exact.unit_roundoff(case.dtype)))
    naive = max(min((case.time + units) * unit, _MOST_IMPRECISE), units * unit)
    return Expected(value, bound + rounding, naive * magnitude + rounding)


def judge(outputs: list[np.ndarray], expected: list[Expected]) -> Verdict:
    """Compares y, and dx if it is among the outputs, with the exact values."""
    named = zip(("output", "gradient"), outputs, expected, strict=False)
    verdicts = [_judge_one(name, output, wanted) for name, output, wanted in named]
    return max(verdicts, key=lambda verdict: verdict.error)


def judge_loss(loss: float, wanted: float, dtype: str) -> Verdict:
    """Compares the loss after a training step with that of a right way of pooling."""
    if abs(loss - wanted) <= _SAME_LOSS[dtype] * abs(wanted):
        return Verdict(OK, "", 0.0)
    return Verdict(WRONG, f"loss {loss:.6g} after a step, not {wanted:.6g}", np.inf)


def _judge_one(name: str, output, wanted: Expected) -> Verdict:
    actual = np.asarray(output, np.float64)
    if actual.shape != wanted.exact.shape:
        reason = f"{name} has shape {actual.shape}, not {wanted.exact.shape}"
        return Verdict(WRONG, reason, np.inf)
    if infinite := int((~np.isfinite(actual)).sum()):
        kind = "NaN" if np.isnan(actual).any() else "infinite"
        reason = f"{name} is {kind} in {infinite} of {actual.size} checked values"
        return Verdict(WRONG, reason, np.inf)
    off = np.abs(actual - wanted.exact)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = float(np.nan_to_num(off / wanted.contract, nan=0.0).max(initial=0.0))
    if error <= 1:
        return Verdict(OK, "", error)
    if (off <= wanted.naive).all():
        return Verdict(IMPRECISE, "", error)
    worst = np.unravel_index(np.argmax(off - wanted.naive), off.shape)
    values = f"{actual[worst]:.6g} instead of {wanted.exact[worst]:.6g}"
    return Verdict(WRONG, f"{name} is {values}", error)


def _slice(case: cases.Case, array: np.ndarray) -> np.ndarray:
    """Some channels of the first example of y, of x, or of their gradients."""
    channels = min(_CHECKED_CHANNELS, max(_CHECKED_VALUES // max(case.time, 1), 1))
    if array.ndim == 2:
        columns = array.reshape(case.batch, -1, case.channels)
        return columns[:1, :, :channels].reshape(1, -1)
    first = case.layout == "channels_first"
    return array[:1, :channels] if first else array[:1, :, :channels]
