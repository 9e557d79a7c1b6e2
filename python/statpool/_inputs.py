"""What x, mask, lengths and the upstream gradient must be, whatever holds them.

The checks take dtypes and shapes and raise a `ValueError` that states the rule, what
was received and the cure. Nothing here imports TensorFlow.
"""

from statpool._options import dtype_name

LENGTHS_DTYPES = ("int32", "int64")


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


def _fits(shape, expected) -> bool:
    """Whether two shapes can be equal, None standing for any size or any shape."""
    if shape is None or expected is None:
        return True
    return len(shape) == len(expected) and all(
        None in (size, other) or size == other
        for size, other in zip(shape, expected, strict=True)
    )
