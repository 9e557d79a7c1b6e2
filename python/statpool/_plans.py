"""How the kernels of the CPU and of CUDA would cut a call into work, as data."""

import math

from statpool import _inputs, _native, _options

# The most whose bytes int64 can count, partial results included.
_MOST_ELEMENTS = 2**56


def cpu_plan(
    shape,
    dtype="float32",
    *,
    statistics=_options.DEFAULT_STATISTICS,
    data_format="channels_last",
) -> dict:
    """Returns how the CPU kernels cut a call into units of work, whatever the machine.

    Args:
      shape: Of x, `[B, T, C]`, or `[B, C, T]` with channels_first.
      dtype: Of x.
      statistics: As in `statpool.global_stats`.
      data_format: As there.

    Returns:
      A dict of integers as `cc/cpu/plan.h` explains them: fold, channels_per_tile,
      tiles, steps_per_split, splits, units, workspace_bytes and more; also "layout",
      a data_format, and "is_transposed", a bool. No units: there is nothing to do.

    Raises:
      ValueError: if an argument breaks a rule.
    """
    return _native.core().cpu_plan(*_problem(shape, dtype, statistics, data_format))


def launch_plan(
    shape,
    dtype="float32",
    *,
    statistics=_options.DEFAULT_STATISTICS,
    data_format="channels_last",
    multiprocessors=132,
    architecture=90,
    alignment=16,
) -> dict:
    """Returns what the CUDA kernels would launch; needs neither a GPU nor CUDA.

    Args:
      shape: As in `cpu_plan`, like all down to data_format.
      dtype: As there.
      statistics: As there.
      data_format: As there.
      multiprocessors: Of the GPU; an H100 has 132.
      architecture: Its compute capability times ten: what a multiprocessor holds.
      alignment: The largest power of two that divides the address of x, from the size
        of an element up to 16.

    Returns:
      A dict with the launches of the forward pass, "forward" and "join" (None unless
      time is split), and that of the "gradient", each a dict of integers as
      `cuda/launch_plan.h` explains them: grid, block, vector_width, splits,
      bytes_read, bytes_written and more. Also "workspace_bytes". A grid of 0 says that
      there is nothing to launch.

    Raises:
      ValueError: if an argument breaks a rule.
    """
    problem = _problem(shape, dtype, statistics, data_format)
    if not 1 <= multiprocessors < 2**16:
        raise ValueError(
            f"multiprocessors must be in [1, 65535], got {multiprocessors}"
        )
    if not 75 <= architecture < 1000:
        raise ValueError(
            "architecture must be a compute capability times ten, from 75 on, got "
            f"{architecture}"
        )
    dtype = problem[1]
    least = {"float32": 4, "float64": 8}.get(dtype, 2)
    if alignment not in (2, 4, 8, 16) or alignment < least:
        raise ValueError(
            f"alignment must be a power of two from {least}, the size of a {dtype}, to "
            f"16, got {alignment}"
        )
    return _native.core().launch_plan(
        *problem, multiprocessors, architecture, alignment
    )


def _problem(shape, dtype, statistics, data_format):
    """Returns the four arguments, checked, as the native library takes them."""
    shape = [int(size) for size in shape]
    dtype = _options.check_dtype(dtype)
    data_format = _options.check_data_format(data_format)
    _inputs.check_shapes(shape, None, None, data_format)
    if min(shape) < 0 or math.prod(shape) > _MOST_ELEMENTS:
        raise ValueError(
            f"shape must have sizes >= 0 and at most 2**56 elements, got {shape}"
        )
    return shape, dtype, _options.check_statistics(statistics), data_format
