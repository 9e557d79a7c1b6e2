"""The inputs of a call as tensors, checked where no kernel does it: for the composite.

What is known while tracing is checked there, the rest by assertions in the graph. XLA
drops assertions; lengths outside [0, T] then act as if clipped.
"""

import contextlib

import tensorflow as tf

from statpool import _inputs


def check(x, mask, lengths, options):
    """Returns x, mask and lengths as tensors."""
    x = tf.convert_to_tensor(x, name="x")
    mask = None if mask is None else tf.convert_to_tensor(mask, name="mask")
    lengths = None if lengths is None else tf.convert_to_tensor(lengths, name="lengths")
    with invalid_argument_errors():
        options.result_dtype(x.dtype)
        if mask is not None:
            _inputs.check_mask_dtype(mask.dtype)
        if lengths is not None:
            _inputs.check_lengths_dtype(lengths.dtype)
        shapes = [_known_shape(tensor) for tensor in (x, mask, lengths)]
        _inputs.check_shapes(*shapes, options.data_format)
    x = _with_rank(x, 3, "x must have rank 3")
    batch, steps = (tf.shape(x, out_type=tf.int64)[axis] for axis in (0, options.time))
    if mask is not None:
        mask = _with_shape(mask, [batch, steps], "mask must have shape [B, T]")
    if lengths is not None:
        lengths = _with_shape(lengths, [batch], "lengths must have shape [B]")
        lengths = _within(lengths, steps)
    return x, mask, lengths


def check_upstream(x, upstream, options):
    """Returns the upstream gradient as a tensor of the output's shape and dtype."""
    upstream = tf.convert_to_tensor(upstream, name="upstream")
    known, sizes = _known_shape(x), tf.unstack(tf.shape(x, out_type=tf.int64), num=3)
    with invalid_argument_errors():
        _inputs.check_upstream_dtype(upstream.dtype, options.result_dtype(x.dtype))
        _inputs.check_upstream_shape(
            _known_shape(upstream),
            options.output_shape(known[0], known[options.channel]),
        )
    return _with_shape(
        upstream,
        options.output_shape(sizes[0], sizes[options.channel]),
        "upstream must have the shape of the output",
    )


def _known_shape(tensor):
    """The shape as a list with None for unknown sizes; None without tensor or rank."""
    if tensor is None or tensor.shape.rank is None:
        return None
    return tensor.shape.as_list()


def _with_shape(tensor, expected, rule):
    """Asserts a shape; the sizes are tensors."""
    tensor = _with_rank(tensor, len(expected), rule)
    expected = tf.stack([tf.cast(size, tf.int64) for size in expected])
    shape = tf.shape(tensor, out_type=tf.int64)
    message = f"{rule}; expected and received shape:"
    fits = tf.reduce_all(shape == expected)
    return _after(tf.debugging.Assert(fits, [message, expected, shape]), tensor)


def _with_rank(tensor, rank, rule):
    """Asserts the rank where tracing could not."""
    if tensor.shape.rank is not None:
        return tensor
    shape = tf.shape(tensor, out_type=tf.int64)
    message = f"{rule}; received shape:"
    assertion = tf.debugging.Assert(tf.size(shape) == rank, [message, shape])
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
