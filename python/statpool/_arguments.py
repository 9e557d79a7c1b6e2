"""Checks of the arguments that mean the same to every implementation.

Each check returns the argument in its canonical form or raises a `ValueError` that
states the rule, what was received and the cure. Nothing here imports TensorFlow.
"""

import math
import operator

STATISTICS = ("mean", "max", "min", "l2", "rms", "std")
DEFAULT_STATISTICS = ("mean", "max", "l2")
DATA_FORMATS = ("channels_last", "channels_first")
DTYPES = ("float16", "bfloat16", "float32", "float64")
IMPLEMENTATIONS = ("auto", "native", "composite")
LENGTHS_DTYPES = ("int32", "int64")


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


def check_output_dtype(dtype, output_dtype) -> str:
    """Returns the name of the output's dtype, given that of x and the one asked."""
    dtype = check_dtype(dtype)
    if output_dtype is None:
        return dtype
    asked = dtype_name(output_dtype)
    if asked == dtype or (asked == "float32" and dtype in ("float16", "bfloat16")):
        return asked
    raise ValueError(
        "output_dtype must be None, the dtype of x, or float32 for 16-bit x, "
        f"got {asked} for x of {dtype}; convert the output instead"
    )


def check_keepdims(keepdims) -> bool:
    """Returns keepdims as a bool; 0 and 1 are accepted, strings and arrays are not."""
    try:
        value = operator.index(keepdims)
    except TypeError:
        value = None
    if value not in (0, 1):
        raise ValueError(
            f"keepdims must be a bool, got {keepdims!r}; pass True or False"
        )
    return bool(value)


def check_shapes(x, mask, lengths, data_format) -> None:
    """Checks that mask `[B, T]` and lengths `[B]` fit x.

    Args:
      x: Shape of x, a sequence in which None stands for an unknown size; or None if
        even the rank is unknown.
      mask: Shape of the mask in the same form, or None.
      lengths: Shape of the lengths in the same form, or None.
      data_format: "channels_last" or "channels_first".
    """
    if x is None:
        batch, time = None, None
    elif len(x) != 3:
        layout = "[B, T, C]" if data_format == "channels_last" else "[B, C, T]"
        raise ValueError(
            f"x must have rank 3, {layout} with data_format={data_format!r}, got shape "
            f"{list(x)}; add or remove axes"
        )
    else:
        batch, time = x[0], x[1 if data_format == "channels_last" else 2]
    received = "unknown shape" if x is None else f"shape {list(x)}"
    if not _fits(mask, (batch, time)):
        raise ValueError(
            f"mask must have shape [B, T] = {[batch, time]} for x of {received}, got "
            f"{list(mask)}; pass one bool per step"
        )
    if not _fits(lengths, (batch,)):
        raise ValueError(
            f"lengths must have shape [B] = {[batch]} for x of {received}, got "
            f"{list(lengths)}; pass one length per example"
        )


def check_mask_dtype(dtype) -> None:
    """Checks that the mask is boolean."""
    name = dtype_name(dtype)
    if name != "bool":
        raise ValueError(
            f"mask must be bool, True = keep, got {name}; convert it, for example "
            "mask != 0"
        )


def check_lengths_dtype(dtype) -> None:
    """Checks that the lengths are int32 or int64."""
    name = dtype_name(dtype)
    if name not in LENGTHS_DTYPES:
        raise ValueError(
            f"lengths must be int32 or int64, got {name}; convert them to int64"
        )


def check_lengths_range(lengths, time) -> None:
    """Checks that every entry of an array of lengths lies in [0, T]."""
    outside = lengths[(lengths < 0) | (lengths > time)]
    if outside.size:
        raise ValueError(
            f"lengths must lie in [0, T] = [0, {time}], got {outside[0]}; clip them or "
            "correct the padding of x"
        )


def check_upstream_shape(shape, expected) -> None:
    """Checks that the upstream gradient has the shape of the output."""
    if not _fits(shape, expected):
        raise ValueError(
            f"upstream must have the shape of the output, {list(expected)}, got "
            f"{list(shape)}; pass the gradient of the whole output"
        )


def check_upstream_dtype(dtype, expected) -> None:
    """Checks that the upstream gradient has the dtype of the output."""
    if dtype_name(dtype) != dtype_name(expected):
        raise ValueError(
            f"upstream must have the dtype of the output, {dtype_name(expected)}, got "
            f"{dtype_name(dtype)}; convert it"
        )


def dtype_name(dtype) -> str:
    """Returns the name of a NumPy or TensorFlow dtype, or of a type, or a string."""
    if isinstance(dtype, str):
        return dtype
    return str(getattr(dtype, "name", None) or getattr(dtype, "__name__", dtype))


def _check_choice(name, value, choices) -> str:
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} must be one of {choices}, got {value!r}")
    return value


def _fits(shape, expected) -> bool:
    """Whether two shapes can be equal, None standing for any size or any shape."""
    if shape is None or expected is None:
        return True
    return len(shape) == len(expected) and all(
        None in (size, other) or size == other
        for size, other in zip(shape, expected, strict=True)
    )
