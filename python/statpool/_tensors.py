"""The inputs of a call as the op and the composite take them: dense tensors, checked.

The op's kernels check what only a run shows; for the composite it is done here. What is
known while tracing is checked there, the rest by assertions in the graph. XLA drops
assertions: shapes are refused in another way there, masks of other numbers than 0 and 1
give NaN, and lengths outside [0, T] act as if clipped.
"""

import contextlib
import re

import tensorflow as tf
from tensorflow.python.framework import ops as framework_ops
from tensorflow.python.ops import control_flow_util

from statpool import _inputs


def convert(x, mask, lengths, options):
    """Returns x `[B, T, C]`, a bool mask and lengths `[B]` as tensors; None stays None.

    Their dtypes are checked, not their shapes.
    """
    if isinstance(x, tf.RaggedTensor):
        x, lengths = _padded(x, lengths, options)
    if not isinstance(x, tf.Tensor):
        x = tf.convert_to_tensor(x, name="x")
    with invalid_argument_errors():
        options.result_dtype(x.dtype)
    return (
        x,
        _optional(mask, "mask", _inputs.check_mask_dtype, _as_bool, x, options),
        _optional(lengths, "lengths", _inputs.check_lengths_dtype, _flat),
    )


def op_arguments(mask, lengths, options) -> dict:
    """Returns the arguments that all raw ops have, of what is converted."""
    return {
        "mask": [] if mask is None else [mask],
        "lengths": [] if lengths is None else [tf.cast(lengths, tf.int64)],
        "statistics": options.kernel_statistics,
        "epsilon": repr(options.epsilon),
        "data_format": options.data_format,
        "input_activation": options.input_activation or "none",
        "negative_slope": repr(options.negative_slope),
    }


def activated(x, options):
    """The input activation of x, in the dtype of x."""
    if options.input_activation == "relu":
        return tf.nn.relu(x)
    if options.input_activation == "leaky_relu":
        # TensorFlow's own has a slope of float32, whatever x is.
        return tf.where(x > 0, x, x * tf.constant(options.negative_slope, x.dtype))
    return x


def activation_gradient(x, gradient, options):
    """The gradient with respect to x from that with respect to its activation."""
    if options.input_activation is None:
        return gradient
    slope = tf.cast(tf.constant(options.slope_below_zero, x.dtype), gradient.dtype)
    return tf.where(x > 0, gradient, gradient * slope)


def in_xla() -> bool:
    """Whether what is traced now will be compiled by XLA."""
    return control_flow_util.GraphOrParentsInXlaContext(
        framework_ops.get_default_graph()
    )


def dense(value, name):
    """The value as a tensor that is not ragged."""
    if isinstance(value, tf.RaggedTensor):
        raise tf.errors.InvalidArgumentError(
            None,
            None,
            f"{name} must be a dense tensor, got a ragged one of shape {value.shape}; "
            "convert it by its to_tensor()",
        )
    return tf.convert_to_tensor(value, name=name)


def marked(y, mask):
    """The results, but NaN where XLA can't refuse the numbers of a mask.

    It has no errors at run time; an additive mask, whose 0 keeps, must not be believed.
    """
    if mask is None or not in_xla():
        return y
    mask = tf.convert_to_tensor(mask)
    if mask.dtype == tf.bool:
        return y
    is_binary = tf.reduce_all(tf.logical_or(tf.equal(mask, 0), tf.equal(mask, 1)))
    one_or_nan = tf.sqrt(tf.where(is_binary, 1.0, -1.0))
    return y * tf.cast(one_or_nan, y.dtype)


def check(x, mask, lengths, options):
    """Returns what `convert` does, with all that the contract asks of it asserted."""
    x, mask, lengths = convert(x, mask, lengths, options)
    with invalid_argument_errors():
        shapes = [_known_shape(tensor) for tensor in (x, mask, lengths)]
        _inputs.check_shapes(*shapes, options.data_format)
    x = _with_rank(x, 3, "x must have rank 3")
    if mask is not None:
        axes = (0, options.time)
        mask = with_shape(mask, x, axes, "mask must have shape [B, T]")
    if lengths is not None:
        lengths = with_shape(lengths, x, (0,), "lengths must have shape [B]")
        lengths = _within(lengths, tf.shape(x, out_type=tf.int64)[options.time])
    return x, mask, lengths


def check_upstream(x, upstream, options):
    """Returns the upstream gradient as a tensor of the output's shape and dtype."""
    upstream = tf.convert_to_tensor(upstream, name="upstream")
    known = x.shape.as_list()
    with invalid_argument_errors():
        _inputs.check_upstream_dtype(upstream.dtype, options.result_dtype(x.dtype))
        _inputs.check_upstream_shape(
            _known_shape(upstream),
            options.output_shape(known[0], known[options.channel]),
        )
    if _is_known(upstream, x):
        return upstream
    sizes = tf.unstack(tf.shape(x, out_type=tf.int64), num=3)
    expected = options.output_shape(sizes[0], sizes[options.channel])
    return of_shape(upstream, expected, "upstream must have the shape of the output")


@tf.custom_gradient
def with_checked_upstream(y):
    """Returns results whose upstream gradient must have their shape and dtype."""

    def gradient(upstream):
        with invalid_argument_errors():
            _inputs.check_upstream_dtype(upstream.dtype, y.dtype)
            _inputs.check_upstream_shape(_known_shape(upstream), y.shape.as_list())
        if _is_known(upstream, y):
            return upstream
        rule = "upstream must have the shape of the output"
        return of_shape(upstream, tf.unstack(tf.shape(y), num=2), rule)

    return tf.identity(y), gradient


# ------------------------------------------------------------------------ conversions


def _padded(x, lengths, options):
    """A ragged x `[B, (T), C]` as padded sequences and their lengths."""
    with invalid_argument_errors():
        _inputs.check_ragged(
            x.shape.as_list(), x.ragged_rank, lengths is not None, options.data_format
        )
    return x.to_tensor(), x.row_lengths()


def _optional(value, name, check_dtype, adapt, *arguments):
    """A mask or lengths as the tensor that `adapt` returns; None stays None."""
    if value is None:
        return None
    tensor = dense(value, name)
    with invalid_argument_errors():
        check_dtype(tensor.dtype)
    return adapt(tensor, *arguments)


def _as_bool(mask, x, options):
    """A mask as bool; numbers must be 0 and 1."""
    if mask.dtype == tf.bool:
        return mask
    with invalid_argument_errors():  # before values: it may be lengths that stand here
        shapes = _known_shape(x), _known_shape(mask)
        _inputs.check_shapes(*shapes, None, options.data_format)
    keep = tf.cast(mask, tf.bool)
    is_binary = tf.reduce_all(tf.equal(tf.cast(keep, mask.dtype), mask))
    message = "mask must be True and False, or 1 and 0; convert it. Received:"
    return _after(tf.debugging.Assert(is_binary, [message, mask]), keep)


def _flat(lengths):
    """Lengths `[B]`, also of `[B, 1]`, as an input of one number gives them."""
    known = _known_shape(lengths)
    if known is not None and (len(known) != 2 or known[1] not in (1, None)):
        return lengths
    shape = tf.shape(lengths)
    is_flat = tf.equal(tf.reduce_prod(shape[1:]), 1)
    return tf.reshape(lengths, shape[: tf.where(is_flat, 1, tf.size(shape))])


# ------------------------------------------------------------------------- assertions


def _known_shape(tensor):
    """The shape as a list with None for unknown sizes; None without tensor or rank."""
    if tensor is None or tensor.shape.rank is None:
        return None
    return tensor.shape.as_list()


def _is_known(*tensors):
    """Whether tracing knew these shapes, so that they are checked."""
    return all(tensor.shape.is_fully_defined() for tensor in tensors)


def with_shape(tensor, x, axes, rule):
    """The tensor, whose shape must be that of x along some of its axes."""
    if _is_known(tensor, x):
        return tensor
    sizes = tf.shape(x, out_type=tf.int64)
    return of_shape(tensor, [sizes[axis] for axis in axes], rule)


def of_shape(tensor, expected, rule):
    """The tensor, whose shape must be the expected one, of sizes that are tensors."""
    tensor = _with_rank(tensor, len(expected), rule)
    expected = tf.stack([tf.cast(size, tf.int64) for size in expected])
    shape = tf.shape(tensor, out_type=tf.int64)
    message = f"{rule}; expected and received shape:"
    fits = tf.reduce_all(tf.equal(shape, expected))
    if in_xla():  # which knows all sizes when it compiles, and names what it refuses
        name = re.sub(r"\W+", "_", rule)
        return tf.reshape(tensor, tf.where(fits, shape, -2 - expected), name=name)
    return _after(tf.debugging.Assert(fits, [message, expected, shape]), tensor)


def _with_rank(tensor, rank, rule):
    """Asserts the rank where tracing could not."""
    if tensor.shape.rank is not None:
        return tensor
    shape = tf.shape(tensor, out_type=tf.int64)
    message = f"{rule}; received shape:"
    fits = tf.equal(tf.size(shape), rank)
    assertion = tf.debugging.Assert(fits, [message, shape])
    return tf.ensure_shape(_after(assertion, tensor), [None] * rank)


def _within(lengths, steps):
    wide = tf.cast(lengths, tf.int64)
    fits = tf.reduce_all((wide >= 0) & (wide <= steps))
    message = "lengths must lie in [0, T]; clip them. T and received lengths:"
    return _after(tf.debugging.Assert(fits, [message, steps, wide]), lengths)


def _after(assertion, tensor):
    """The tensor, not before the assertion; eager assertions are None, and done."""
    if assertion is None:
        return tensor
    with tf.control_dependencies([assertion]):
        return tf.identity(tensor)


@contextlib.contextmanager
def invalid_argument_errors():
    """Turns the errors of checks into TensorFlow's."""
    try:
        yield
    except ValueError as error:
        raise tf.errors.InvalidArgumentError(None, None, str(error)) from None
