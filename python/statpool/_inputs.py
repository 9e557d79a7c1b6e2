"""What x, mask, lengths and the upstream gradient must be, whatever holds them.

The checks take dtypes and shapes and raise a `ValueError` that states the rule, what
was received and the cure. Nothing here imports TensorFlow.
"""

from statpool._options import dtype_name

LENGTHS_DTYPES = ("int32", "int64")

# Masks of numbers hold 0 and 1, as those of tokenizers do.
MASK_DTYPES = (
    "bool",
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
    *("float16", "bfloat16", "float32", "float64"),
)


def check_shapes(x, mask, lengths, data_format) -> None:
    """Checks that mask `[B, T]` and lengths `[B]` or `[B, 1]` fit x.

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
    if not fits(mask, (batch, time)):
        raise ValueError(
            f"mask must have shape [B, T] = {[batch, time]} for x of {received}, got "
            f"{list(mask)}; pass one bool per step, or lengths by name"
        )
    if not fits(lengths, (batch,)) and not fits(lengths, (batch, 1)):
        raise ValueError(
            f"lengths must have shape [B] = {[batch]}, or [B, 1], for x of {received}, "
            f"got {list(lengths)}; pass one length per example"
        )


def check_ragged(shape, ragged_rank, has_lengths, data_format) -> None:
    """Checks that a ragged x is `[B, (T), C]` and brings its lengths alone."""
    if has_lengths:
        raise ValueError(
            "lengths must be None for a ragged x, which has its own, got both; leave "
            "lengths out"
        )
    if len(shape) != 3 or ragged_rank != 1 or data_format != "channels_last":
        raise ValueError(
            "a ragged x must be [B, (T), C], ragged in time alone and channels_last, "
            f"got shape {list(shape)} with {ragged_rank} ragged axes and data_format="
            f"{data_format!r}; pad the other axes, or make x with "
            "tf.RaggedTensor.from_row_lengths(steps, lengths)"
        )


def check_image_mask_shape(mask, positions) -> None:
    """Checks that a mask is `[B, H, W]`, which positions are, or `[B, H]`."""
    if not fits(mask, positions) and not fits(mask, positions[:2]):
        raise ValueError(
            f"mask must have shape [B, H, W] or [B, H] of {list(positions)}, got "
            f"{list(mask)}; pass one bool for every position, or for every row"
        )


def check_mask_dtype(dtype) -> None:
    """Checks that the mask is boolean, or of numbers, which then are 0 and 1."""
    name = dtype_name(dtype)
    if name not in MASK_DTYPES:
        raise ValueError(
            f"mask must be bool, True = keep, or numbers 0 and 1, got {name}; convert "
            "it, for example mask != 0"
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
    if not fits(shape, expected):
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


def fits(shape, expected) -> bool:
    """Returns whether two shapes can be equal, None being any size or any shape."""
    if shape is None or expected is None:
        return True
    return len(shape) == len(expected) and all(
        None in (size, other) or size == other
        for size, other in zip(shape, expected, strict=True)
    )
