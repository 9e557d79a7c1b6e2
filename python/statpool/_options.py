"""How to pool: the options that mean the same to every implementation, checked once.

Each check returns its argument in canonical form or raises a `ValueError` that states
the rule, what was received and the cure. Nothing here imports TensorFlow.
"""

import dataclasses
import math
import operator
from collections.abc import Iterable
from typing import TypedDict

STATISTICS = ("mean", "max", "min", "l2", "rms", "std")
DEFAULT_STATISTICS = ("mean", "max", "l2")
DATA_FORMATS = ("channels_last", "channels_first")
DTYPES = ("float16", "bfloat16", "float32", "float64")
IMPLEMENTATIONS = ("auto", "native", "composite")
INPUT_ACTIVATIONS = (None, "relu", "leaky_relu")
SAMPLE_STD = "sample_std"  # what the kernels call std with correction 1


class OptionArguments(TypedDict, total=False):
    """The keyword arguments that become `Options`, with the defaults of its `check`."""

    statistics: Iterable[str]
    epsilon: float
    data_format: str
    keepdims: bool
    output_dtype: object
    input_activation: str | None
    negative_slope: float
    correction: int


@dataclasses.dataclass(frozen=True)
class Options:
    """Everything but the tensors and who computes; `Options.check` makes one."""

    statistics: tuple[str, ...]
    epsilon: float
    data_format: str
    keepdims: bool
    output_dtype: str | None  # as asked: None for that of x
    input_activation: str | None = None
    negative_slope: float = 0.2  # of leaky_relu
    correction: int = 0  # of std, which divides by N - correction

    @classmethod
    def check(
        cls,
        statistics=DEFAULT_STATISTICS,
        epsilon=1e-12,
        data_format="channels_last",
        keepdims=False,
        output_dtype=None,
        input_activation=None,
        negative_slope=0.2,
        correction=0,
    ):
        """Returns the options in canonical form.

        Raises:
          ValueError: if one breaks a rule. Which output dtypes there are depends on x:
            `result_dtype` says.
        """
        return cls(
            check_statistics(statistics),
            check_epsilon(epsilon),
            check_data_format(data_format),
            check_keepdims(keepdims),
            None if output_dtype is None else dtype_name(output_dtype),
            check_input_activation(input_activation),
            check_negative_slope(negative_slope),
            check_correction(correction),
        )

    @property
    def kernel_statistics(self) -> tuple[str, ...]:
        """The statistics by the names that the kernels know."""
        return tuple(
            SAMPLE_STD if self.correction and name == "std" else name
            for name in self.statistics
        )

    @property
    def time(self) -> int:
        """The axis of time of x, [B, T, C] or [B, C, T]."""
        return 1 if self.data_format == "channels_last" else 2

    @property
    def channel(self) -> int:
        """The axis of the channels."""
        return 3 - self.time

    @property
    def slope_below_zero(self) -> float:
        """The slope of the input activation where it isn't 1: at 0 and below."""
        return {None: 1.0, "relu": 0.0}.get(self.input_activation, self.negative_slope)

    def result_dtype(self, dtype) -> str:
        """Returns the name of the output's dtype for x of that dtype."""
        dtype = check_dtype(dtype)
        asked = dtype if self.output_dtype is None else self.output_dtype
        is_16_bit = dtype in ("float16", "bfloat16")
        if asked == dtype or (asked == "float32" and is_16_bit):
            return asked
        raise ValueError(
            "output_dtype must be None, the dtype of x, or float32 for 16-bit x, "
            f"got {asked} for x of {dtype}; convert the output instead"
        )

    def output_shape(self, batch, channels, pooled_axes=1) -> list:
        """Returns the output's shape; unknown sizes are None, or tensors."""
        width = None if channels is None else len(self.statistics) * channels
        pooled = [1] * pooled_axes if self.keepdims else []
        if self.data_format == "channels_last":
            return [batch, *pooled, width]
        return [batch, width, *pooled]


def check_statistics(statistics) -> tuple[str, ...]:
    """Returns the statistics as a tuple of distinct, known names in the order asked."""
    if isinstance(statistics, str):
        raise ValueError(
            f"statistics must be a sequence of names, got the string {statistics!r}; "
            f"write ({statistics!r},) to ask for one statistic"
        )
    try:
        names = tuple(statistics)
    except TypeError as error:
        raise ValueError(
            f"statistics must be a sequence of names, got {statistics!r}; "
            f"choose from {STATISTICS}"
        ) from error
    if not names:
        raise ValueError(
            f"statistics must name at least one statistic, got {names!r}; "
            f"choose from {STATISTICS}"
        )
    unknown = [name for name in names if name not in STATISTICS]
    if unknown:
        raise ValueError(
            f"statistics must be known names, got {unknown[0]!r} in {names!r}; "
            f"choose from {STATISTICS}"
        )
    if len(set(names)) < len(names):
        raise ValueError(
            f"statistics must not repeat, got {names!r}; name each statistic once"
        )
    return names


def check_epsilon(epsilon) -> float:
    """Returns epsilon as a finite Python float >= 0."""
    if _is_bool(epsilon):  # keepdims, where epsilon stands
        raise ValueError(
            f"epsilon must be a number, got {epsilon!r}; pass keepdims by its name"
        )
    try:
        value = float(epsilon)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"epsilon must be a number, got {epsilon!r}; pass a Python float such as "
            "1e-12"
        ) from error
    if not math.isfinite(value) or value < 0:
        raise ValueError(
            f"epsilon must be finite and >= 0, got {value!r}; pass a small number such "
            "as 1e-12, or 0 for none"
        )
    return value


def check_input_activation(input_activation) -> str | None:
    """Returns the input activation, one of `INPUT_ACTIVATIONS`."""
    if input_activation in INPUT_ACTIVATIONS:
        return input_activation
    raise ValueError(
        f"input_activation must be one of {INPUT_ACTIVATIONS}, got "
        f"{input_activation!r}; put any other activation before the pooling"
    )


def check_negative_slope(negative_slope) -> float:
    """Returns the slope of leaky_relu as a Python float in (0, 1]."""
    try:
        value = math.nan if _is_bool(negative_slope) else float(negative_slope)
    except (TypeError, ValueError):
        value = math.nan
    if 0 < value <= 1:
        return value
    raise ValueError(
        f"negative_slope must be above 0 and at most 1, got {negative_slope!r}; for 0 "
        "take input_activation='relu'"
    )


def check_correction(correction) -> int:
    """Returns the correction of std, 0 or 1."""
    if not _is_bool(correction) and correction in (0, 1):
        return int(correction)
    raise ValueError(
        f"correction must be 0 or 1, got {correction!r}; std divides the squared "
        "deviations by N - correction"
    )


def check_data_format(data_format) -> str:
    """Returns the data format, one of `DATA_FORMATS`."""
    return _check_choice("data_format", data_format, DATA_FORMATS)


def check_implementation(implementation) -> str:
    """Returns the implementation, one of `IMPLEMENTATIONS`."""
    return _check_choice("implementation", implementation, IMPLEMENTATIONS)


def check_dtype(dtype, name="x") -> str:
    """Returns the name of the dtype of x, or of another argument, one of `DTYPES`."""
    received = dtype_name(dtype)
    if received not in DTYPES:
        raise ValueError(
            f"{name} must have one of the dtypes {', '.join(DTYPES)}, got {received}; "
            f"convert {name} first"
        )
    return received


def check_keepdims(keepdims) -> bool:
    """Returns keepdims as a bool; 0 and 1 are accepted, strings and arrays are not."""
    try:
        value = operator.index(bool(keepdims) if _is_bool(keepdims) else keepdims)
    except TypeError:
        value = None
    if value not in (0, 1):
        raise ValueError(
            f"keepdims must be a bool, got {keepdims!r}; pass True or False"
        )
    return bool(value)


def dtype_name(dtype) -> str:
    """Returns the name of a NumPy or TensorFlow dtype, or of a type, or a string."""
    if isinstance(dtype, str):
        return dtype
    return str(getattr(dtype, "name", None) or getattr(dtype, "__name__", dtype))


def _is_bool(value) -> bool:
    """Whether the value is a bool of Python or of NumPy, whose name has changed."""
    return type(value).__name__ in ("bool", "bool_")


def _check_choice(name, value, choices) -> str:
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} must be one of {choices}, got {value!r}")
    return value
