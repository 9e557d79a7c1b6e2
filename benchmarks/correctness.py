"""Checks a provider against the exact values of the tests before it is timed.

Three verdicts, by the bounds of the tests' oracle (tests/support/exact.py):

- "ok": within the contract.
- "imprecise": beyond it, but within what adding up one by one in the dtype of x may
  lose, T units (a tenth at most: whoever is further off than that is wrong).
- "wrong": beyond that, or not finite where the contract asks for a number.
"""

import dataclasses

import ml_dtypes
import numpy as np

from benchmarks import cases
from tests.support import exact

OK, IMPRECISE, WRONG = "ok", "imprecise", "wrong"

_MOST_IMPRECISE = 0.1
# Of the first example: exact arithmetic is slow.
_CHECKED_CHANNELS, _CHECKED_VALUES = 4, 1 << 17


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What a check found.

    Attributes:
        status: "ok", "imprecise" or "wrong".
        reason: What is wrong, in words; empty if nothing is.
        error: Largest error, as a multiple of what the contract allows.
    """

    status: str
    reason: str
    error: float


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
            self._small[key] = judge(outputs, expect(case, small, provider.epsilon))
        if self._small[key].status == WRONG:
            return self._small[key]
        outputs = engine.outputs(provider, cell.mode, cell.case, placed)
        verdict = self.judge_slice(cell.case, arrays, provider.epsilon, outputs)
        return max(self._small[key], verdict, key=lambda v: v.error)

    def judge_slice(
        self, case, arrays, epsilon, outputs, statistics=cases.STATISTICS
    ) -> Verdict:
        """Judges some channels; expects the same of all with that epsilon, once."""
        if self._arrays is not arrays:
            self._arrays, self._expected = arrays, {}
        key = epsilon, statistics
        if key not in self._expected:
            part = cases.Inputs(
                _slice(case, arrays.x),
                _slice(case, arrays.upstream),
                None if arrays.mask is None else arrays.mask[:1],
            )
            self._expected[key] = expect(case, part, epsilon, statistics)
        slices = [_slice(case, np.asarray(output)) for output in outputs]
        return judge(slices, self._expected[key])


@dataclasses.dataclass(frozen=True)
class Expected:
    """Exact values, and how far off the contract and adding up one by one may be."""

    exact: np.ndarray
    contract: np.ndarray
    naive: np.ndarray


def expect(
    case: cases.Case, arrays: cases.Inputs, epsilon: float, statistics=cases.STATISTICS
) -> list[Expected]:
    """Computes what y and dx should be."""
    last = case.layout == "channels_last"
    x = arrays.x if last else np.moveaxis(arrays.x, 1, 2)
    valid = np.ones(x.shape[:2], bool) if arrays.mask is None else arrays.mask
    bounded = exact.statistics(x, valid, epsilon)
    value, bound = (
        np.concatenate([getattr(bounded[s], part) for s in statistics], axis=1)
        for part in ("value", "bound")
    )
    values = _expected(
        case, value.astype(float), bound.astype(float), exact.VALUE_UNITS
    )
    # float16 knows no epsilon of 1e-12: a norm without it is imprecise, not wrong.
    if statistics[-1] == "l2":
        values.naive[:, -x.shape[2] :] += np.sqrt(epsilon)
    upstream = arrays.upstream
    gradient = exact.gradient(x, valid, upstream, statistics, epsilon)
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
    """Compares y, and dx if it is among the outputs, with what they should be."""
    verdicts = [
        _judge_one(name, np.asarray(output, np.float64), wanted)
        for name, output, wanted in zip(
            ("output", "gradient"), outputs, expected, strict=False
        )
    ]
    return max(verdicts, key=lambda verdict: verdict.error)


def _judge_one(name: str, actual: np.ndarray, wanted: Expected) -> Verdict:
    if actual.shape != wanted.exact.shape:
        reason = f"{name} has shape {actual.shape}, not {wanted.exact.shape}"
        return Verdict(WRONG, reason, np.inf)
    infinite = ~np.isfinite(actual)
    if infinite.any():
        kind = "NaN" if np.isnan(actual).any() else "infinite"
        reason = f"{name} is {kind} in {infinite.sum()} of {actual.size} checked values"
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
    if case.layout == "channels_first":
        return array[:1, :channels, :]
    return array[:1, :, :channels]
