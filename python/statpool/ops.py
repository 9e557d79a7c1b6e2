"""Statistics over time as one TensorFlow function: the native op or its composite."""

import contextlib
import contextvars
import sys
import warnings

import tensorflow as tf
from tensorflow.python.eager import context

from statpool import _availability, _native, _tensors, composite
from statpool._options import DEFAULT_STATISTICS, Options, check_implementation


# Symbolic tensors of tf_keras, which the composite can't take apart, stay one call.
@tf.__internal__.dispatch.add_dispatch_support
def global_stats(
    x,
    mask=None,
    lengths=None,
    *,
    statistics=DEFAULT_STATISTICS,
    epsilon=1e-12,
    data_format="channels_last",
    keepdims=False,
    output_dtype=None,
    input_activation=None,
    negative_slope=0.2,
    correction=0,
    implementation="auto",
    name=None,
) -> tf.Tensor:
    """Pools statistics over time, reading x once.

    Args:
      x: `[B, T, C]`, or `[B, C, T]` with channels_first; float16, bfloat16, float32 or
        float64. 16-bit and float32 values are summed in float64, by the composite in
        float32. A `tf.RaggedTensor` `[B, (T), C]` brings its own lengths.
      mask: Optional bool `[B, T]`, True = the step counts; or numbers 1 and 0.
      lengths: Optional int32 or int64 `[B]` or `[B, 1]`, 0 <= n <= T: steps from n on
        don't count. With a mask too, a step counts if both allow it. What lies in
        steps that don't count never matters.
      statistics: Any of "mean", "max", "min", "l2", "rms" and "std", each at most once.
      epsilon: Added below the root of l2, rms and std; finite and >= 0.
      data_format: "channels_last" or "channels_first".
      keepdims: Whether to keep the axis of time, with size 1.
      output_dtype: None for that of x, or float32 for 16-bit x.
      input_activation: None, "relu" or "leaky_relu": pools that of x, in the same read.
      negative_slope: Of leaky_relu, above 0 and at most 1.
      correction: 0, or 1 for std over N - 1 in place of N, NumPy's ddof; std of a
        single step is sqrt(epsilon) either way.
      implementation: "native" for the custom op, "composite" for stock TensorFlow ops,
        "auto" for the op where it can run, else the composite.
      name: Optional name of the op.

    Returns:
      `[B, S * C]`, the statistics side by side in the order asked. With keepdims
      `[B, 1, S * C]`, or `[B, S * C, 1]` with channels_first. Examples without a step
      that counts give mean, max and min 0, and sqrt(epsilon) for l2, rms and std.

    Raises:
      tf.errors.InvalidArgumentError: if an argument breaks a rule; while a function is
        traced, it may be a ValueError.
      statpool.NativeLibraryError: with "native", if the op can't run here.
    """
    with _tensors.invalid_argument_errors():
        implementation = check_implementation(implementation)
        options = Options.check(
            statistics,
            epsilon,
            data_format,
            keepdims,
            output_dtype,
            input_activation,
            negative_slope,
            correction,
        )
    return pool(x, mask, lengths, options, implementation, name)


def pool(x, mask, lengths, options, implementation, name) -> tf.Tensor:
    """`global_stats` with options that are checked."""
    if not use_native(implementation):
        with tf.name_scope(name or "global_stats"):
            return composite.pool(x, mask, lengths, options)
    if not tf.executing_eagerly():
        _warn_an_exporter()
    asked = mask
    x, mask, lengths = _tensors.convert(x, mask, lengths, options)
    # TensorFlow's fast way of calling an op eagerly takes no names of dtypes.
    y, _ = _native.ops().statpool_global_stats(
        x,
        Tout=tf.as_dtype(options.result_dtype(x.dtype)),
        Tsaved=tf.float64 if x.dtype == tf.float64 else tf.float32,
        name=name,
        **_tensors.op_arguments(mask, lengths, options),
    )
    y = tf.expand_dims(y, options.time) if options.keepdims else y
    return _tensors.marked(y, asked)


_forced = contextvars.ContextVar("forced_implementation", default=None)


@contextlib.contextmanager
def force_implementation(implementation):
    """Within it every call and layer takes this implementation, whatever it asks for.

    For what traces a model to write it down: with "composite", converters meet stock
    operations alone.

    Args:
      implementation: "native", "composite" or "auto", as `statpool.global_stats`.
    """
    token = _forced.set(check_implementation(implementation))
    try:
        yield
    finally:
        _forced.reset(token)


def use_native(implementation) -> bool:
    """Returns whether a call takes the op; says once why not where "auto" can't."""
    implementation = _forced.get() or implementation
    if implementation == "composite":
        return False
    in_xla = _tensors.in_xla()
    if implementation == "native" and not in_xla:
        _native.ops()
        return True
    reason = (
        _availability.why_unavailable_in_xla()
        if in_xla
        else _availability.why_unavailable() or _why_unusable_where_this_runs()
    )
    if reason is None:
        return True
    if implementation == "native":
        raise _native.NativeLibraryError(reason)
    _native.warn_once(reason)
    return False


# They take the op for one that a runtime will know, and write a file that never loads.
_EXPORTERS = ("keras.src.export.onnx", "keras.src.export.litert", "tensorflow.lite.")


def _warn_an_exporter() -> None:
    """Warns where one of these is what traces the op."""
    frame = sys._getframe()
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith(_EXPORTERS):
            warnings.warn(
                "statpool's op can't be run from ONNX or LiteRT, which this exporter "
                "writes; export by statpool.export, or within "
                "statpool.force_implementation('composite')",
                stacklevel=3,
            )
            return
        frame = frame.f_back


def _why_unusable_where_this_runs() -> str | None:
    """Returns why the op should not run on the device at hand; None if it should.

    TensorFlow puts an op on a GPU that it sees unless the scope says the CPU. An op
    without a kernel for it silently runs on the CPU instead, and copies x.
    """
    if not tf.config.get_visible_devices("GPU"):
        return None
    reason = _availability.why_no_gpu()
    return None if reason is None or _scope_is_cpu() else reason


def _scope_is_cpu() -> bool:
    """Whether the innermost device scope around the caller names the CPU."""
    in_graph = "" if tf.executing_eagerly() else tf.no_op().device
    scope = in_graph or context.context().device_name
    return bool(scope) and tf.DeviceSpec.from_string(scope).device_type == "CPU"
