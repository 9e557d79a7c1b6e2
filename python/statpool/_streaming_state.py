"""What is known of sequences that come in pieces: the state, and what must fit it."""

from typing import Any, NamedTuple

from statpool._inputs import fits
from statpool._options import DTYPES, Options, check_dtype, dtype_name


class State(NamedTuple):
    """A plain structure of arrays: what merges, and what statistics are taken of.

    Sums of float64 x are in a unit where squares could overflow or vanish: a power of
    two that follows from the extremes.

    Attributes:
      count: N, the steps that count, int64 `[B]`.
      sum: Of x, float64 `[B, C]`, or float32 if `init` was asked for that.
      sum_rest: What rounding took from the sum.
      squares: Of x^2, as sum.
      squares_rest: What rounding took from the squares.
      max: `[B, C]`, float64 if x is, else float32; -Inf before the first step.
      max_count: How many steps equal it, int64 `[B, C]`.
      min: As max; Inf before the first step.
      min_count: As max_count.
    """

    count: Any
    sum: Any
    sum_rest: Any
    squares: Any
    squares_rest: Any
    max: Any
    max_count: Any
    min: Any
    min_count: Any


# With epsilon 0, what the kernels save for their gradients is what a piece is.
PIECE_STATISTICS = ("mean", "max", "min", "std")


class Piece(NamedTuple):
    """What the kernels save of some steps, `[B, C]` each; all 0 if none counts."""

    steps: Any
    mean: Any
    mean_rest: Any  # exact mean - mean
    max: Any
    max_count: Any
    min: Any
    min_count: Any
    std: Any


def piece_options(data_format, input_activation, negative_slope) -> Options:
    """Returns how a piece is pooled."""
    return Options.check(
        PIECE_STATISTICS,
        0.0,
        data_format,
        input_activation=input_activation,
        negative_slope=negative_slope,
    )


def check_state(state, name="state") -> None:
    """Checks that something is a state."""
    if not isinstance(state, State):
        raise ValueError(
            f"{name} must be a state, as init, update and merge return it, got "
            f"{type(state).__name__}"
        )


def check_piece(state, batch, channels, dtype) -> None:
    """Checks that a piece suits a state; sizes that nobody knows yet are None."""
    check_state(state)
    extreme, _ = dtypes_of(dtype, dtype_name(state.sum.dtype))
    expected, received = tuple(state.max.shape), (batch, channels)
    if not fits(received, expected) or dtype_name(state.max.dtype) != extreme:
        raise ValueError(
            f"x must have the batch and channels {list(expected)} of the state, and "
            f"fit its {dtype_name(state.max.dtype)}, got {list(received)} of "
            f"{dtype_name(dtype)}; init makes a state for other x"
        )


def check_mergeable(a, b) -> None:
    """Checks that two states are of the same batch, channels and dtypes."""
    check_state(a, "a")
    check_state(b, "b")
    check_piece(a, *b.max.shape, b.max.dtype)
    if a.sum.dtype != b.sum.dtype:
        raise ValueError(
            "states that merge must have sums of one dtype, got "
            f"{dtype_name(a.sum.dtype)} and {dtype_name(b.sum.dtype)}"
        )


def result_dtype(state, output_dtype) -> str:
    """Returns the name of the dtype of results."""
    check_state(state)
    of_state = dtype_name(state.max.dtype)
    asked = of_state if output_dtype is None else dtype_name(output_dtype)
    allowed = DTYPES[:3] if of_state == "float32" else DTYPES[3:]
    if asked in allowed:
        return asked
    raise ValueError(
        f"output_dtype must be None or one of {', '.join(allowed)} for a state of "
        f"{of_state}, got {asked}; convert the result instead"
    )


def dtypes_of(dtype, sum_dtype) -> tuple[str, str]:
    """Returns the dtypes of extremes and of sums in a state for x of a dtype."""
    extreme = "float64" if check_dtype(dtype, "dtype") == "float64" else "float32"
    sums = dtype_name(sum_dtype)
    if sums in ("float64", extreme):
        return extreme, sums
    raise ValueError(
        "sum_dtype must be float64, or float32 for x that isn't float64, got "
        f"{sums} for {dtype_name(dtype)}"
    )
