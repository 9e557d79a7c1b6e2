"""Statistics over time as a function of JAX, without TensorFlow.

The native kernels run inside XLA's programs, on the CPU and on GPUs. All of JAX's
transformations apply: docs/jax.md.
"""

import dataclasses
import functools
from typing import Unpack

import jax
import jax.numpy as jnp
import numpy as np

from statpool import _arrays, _inputs, _jax_handlers, _jax_primitives, _native
from statpool._options import OptionArguments, Options, check_implementation


def global_stats(
    x,
    mask=None,
    lengths=None,
    *,
    implementation="auto",
    **options: Unpack[OptionArguments],
) -> jax.Array:
    """Pools statistics over time, reading x once.

    Args:
      x: `[B, T, C]`, or `[B, C, T]` with channels_first; float16, bfloat16, float32 or
        float64.
      mask: Optional bool `[B, T]`, True = the step counts; or numbers 1 and 0, of which
        others are refused where they are known, and give NaN in a traced mask.
      lengths: Optional int32 or int64 `[B]` or `[B, 1]`, 0 <= n <= T, as in
        `statpool.global_stats`. Of traced lengths outside, CPUs say so when they run;
        GPUs and the composite take the nearest in [0, T].
      implementation: "native" for the kernels, "composite" for stock operations of
        JAX, "auto" for the kernels where the program is compiled for a device that has
        them, else the composite.
      **options: statistics, epsilon, data_format, keepdims, output_dtype,
        input_activation, negative_slope and correction, as in `statpool.global_stats`.

    Returns:
      `[B, S * C]`, with keepdims `[B, 1, S * C]` or `[B, S * C, 1]`.

    Raises:
      ValueError: if an argument breaks a rule, also while a function is traced.
      statpool.NativeLibraryError: with "native", if the kernels can't run here; when
        the program is compiled, if its device has none.
    """
    implementation = check_implementation(implementation)
    return pool(x, mask, lengths, Options.check(**options), implementation)


def pool(x, mask, lengths, options, implementation) -> jax.Array:
    """`global_stats` with options that are checked."""
    x, mask, lengths = _checked(x, mask, lengths, options)
    return _pool(x, mask, lengths, options, _resolved(implementation))


def _checked(x, mask, lengths, options):
    """The arrays of a call as JAX's, checked; a mask of numbers stays one."""
    x = jnp.asarray(x)
    options.result_dtype(x.dtype)
    if mask is not None:
        _inputs.check_mask_dtype(_arrays.dtype_of(mask))
    if lengths is not None:
        _inputs.check_lengths_dtype(_arrays.dtype_of(lengths))
    shapes = [None if array is None else np.shape(array) for array in (mask, lengths)]
    _inputs.check_shapes(x.shape, *shapes, options.data_format)
    if _is_known(mask) and _arrays.dtype_of(mask).name != "bool":
        mask = _arrays.as_bool(np.asarray(mask))
    if _is_known(lengths):
        _inputs.check_lengths_range(np.asarray(lengths), x.shape[options.time])
    return (
        x,
        None if mask is None else jnp.asarray(mask),
        None if lengths is None else jnp.asarray(lengths).reshape(-1),
    )


def _is_known(array) -> bool:
    """Whether its values can be looked at: not while a function is traced."""
    return array is not None and not isinstance(array, jax.core.Tracer)


def _resolved(implementation) -> str:
    """The implementation, which is the composite where nothing native can be had."""
    if implementation == "composite":
        return implementation
    reason = _jax_handlers.why_unavailable("cpu")
    if reason is None:
        return implementation
    if implementation == "native":
        raise _native.NativeLibraryError(reason)
    _native.warn_once(reason)
    return "composite"


@functools.partial(jax.jit, static_argnames=("options", "implementation"))
def _pool(x, mask, lengths, options, implementation):
    is_binary = True
    if mask is not None and mask.dtype != bool:
        is_binary, mask = ((mask == 0) | (mask == 1)).all(), mask != 0
    flat = dataclasses.replace(options, keepdims=False)
    call = _jax_primitives.Call(
        flat, mask is not None, lengths is not None, implementation
    )
    if lengths is not None and lengths.dtype != jnp.int64:
        lengths = jnp.stack([lengths, lengths >> 31], -1)
    padding = [array for array in (mask, lengths) if array is not None]
    y = _jax_primitives.pool(x, padding, call)
    if is_binary is not True:
        y = jnp.where(is_binary, y, jnp.nan)
    return jnp.expand_dims(y, options.time) if options.keepdims else y
