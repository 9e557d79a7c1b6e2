"""Checks a provider against the reference of the tests before it is timed.

Three verdicts, by bounds that follow from the arithmetic, not from what came out:

- "ok": within the contract. A sum of any length is good to 8 units of rounding, then
  the output is rounded once.
- "imprecise": beyond it, but within what adding up one by one in the dtype of x may
  lose, T units (a tenth at most: whoever is further off than that is wrong).
- "wrong": beyond that, or not finite where the contract asks for a number.
"""

import dataclasses

import ml_dtypes
import numpy as np

from benchmarks import cases, inputs
from statpool import reference

OK, IMPRECISE, WRONG = "ok", "imprecise", "wrong"

_UNIT = {"float16": 2**-11, "bfloat16": 2**-8, "float32": 2**-24, "float64": 2**-53}
_CONTRACT_UNITS = 8
_GRADIENT_UNITS = 16  # The norm's 8, and the products, quotients and sums after it.
_MOST_IMPRECISE = 0.1
_CHECKED_CHANNELS = 4  # Of the first example, of the case that is timed.


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
            self._small[key] = _check_whole(engine, provider, cell.mode, case)
        small = self._small[key]
        if small.status == WRONG:
            return small
        outputs = engine.outputs(provider, cell.mode, cell.case, placed)
        slices = [_slice(cell.case, np.asarray(output)) for output in outputs]
        verdict = judge(slices, self._expect_slice(cell.case, arrays, provider.epsilon))
        return max(small, verdict, key=lambda v: v.error)

    def _expect_slice(self, case, arrays, epsilon):
        """Expects the same of all providers with that epsilon, so computes it once."""
        if self._arrays is not arrays:
            self._arrays, self._expected = arrays, {}
        if epsilon not in self._expected:
            part = inputs.Inputs(
                _slice(case, arrays.x),
                _slice(case, arrays.upstream),
                None if arrays.mask is None else arrays.mask[:1],
            )
            self._expected[epsilon] = expect(case, part, epsilon)
        return self._expected[epsilon]


def _check_whole(engine, provider, mode, case) -> Verdict:
    arrays = inputs.make_inputs(case)
    outputs = engine.outputs(provider, mode, case, engine.place(arrays))
    return judge(outputs, expect(case, arrays, provider.epsilon))


@dataclasses.dataclass(frozen=True)
class Expected:
    """Exact values and how far off they may be.

    Attributes:
        exact: float64 array.
        contract: Largest error that the contract allows.
        naive: Largest error of adding up one by one.
    """

    exact: np.ndarray
    contract: np.ndarray
    naive: np.ndarray


def expect(case: cases.Case, arrays: inputs.Inputs, epsilon: float) -> list[Expected]:
    """Computes what y and dx should be."""
    return [
        _expect_output(case, arrays, epsilon),
        _expect_gradient(case, arrays, epsilon),
    ]


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


def _expect_output(case, arrays, epsilon) -> Expected:
    def compute(x, statistics):
        return reference.global_stats(
            x,
            arrays.mask,
            statistics=statistics,
            epsilon=epsilon,
            data_format=case.layout,
        )

    exact = compute(arrays.x, cases.STATISTICS)
    mean_magnitude = compute(np.abs(arrays.x), ("mean",))
    channels = mean_magnitude.shape[1]
    exact_max = np.zeros_like(mean_magnitude)  # Comparing makes no error.
    magnitude = np.concatenate([mean_magnitude, exact_max, exact[:, -channels:]], 1)
    expected = _expected(case, exact, magnitude, _CONTRACT_UNITS)
    # float16 knows no epsilon of 1e-12: a norm without it is imprecise, not wrong.
    expected.naive[:, -channels:] += np.sqrt(epsilon)
    return expected


def _expect_gradient(case, arrays, epsilon) -> Expected:
    parts = np.split(arrays.upstream, len(cases.STATISTICS), axis=1)
    gradients = [
        reference.global_stats_gradient(
            arrays.x,
            part,
            arrays.mask,
            statistics=(name,),
            epsilon=epsilon,
            data_format=case.layout,
        )
        for name, part in zip(cases.STATISTICS, parts, strict=True)
    ]
    magnitude = sum(np.abs(gradient) for gradient in gradients)
    return _expected(case, sum(gradients), magnitude, _GRADIENT_UNITS)


def _expected(case, exact, magnitude, units) -> Expected:
    unit = _UNIT[case.dtype]
    summed_in = min(unit, _UNIT["float32"])  # 16-bit inputs are summed in float32.
    smallest = float(ml_dtypes.finfo(inputs.numpy_dtype(case.dtype)).smallest_subnormal)
    rounding = unit * np.abs(exact) + smallest
    naive_units = min((case.time + units) * unit, _MOST_IMPRECISE)
    return Expected(
        exact,
        contract=units * summed_in * magnitude + rounding,
        naive=np.maximum(naive_units, units * unit) * magnitude + rounding,
    )


def _slice(case: cases.Case, array: np.ndarray) -> np.ndarray:
    """The first channels of the first example of y, of x, or of their gradients."""
    if array.ndim == 2:
        columns = array.reshape(case.batch, len(cases.STATISTICS), case.channels)
        return columns[:1, :, :_CHECKED_CHANNELS].reshape(1, -1)
    if case.layout == "channels_first":
        return array[:1, :_CHECKED_CHANNELS, :]
    return array[:1, :, :_CHECKED_CHANNELS]
