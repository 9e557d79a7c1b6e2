"""Sums of float64 tensors whose error doesn't grow with the number of terms.

Adding a number that is large enough, and subtracting it again, cuts a value into a
high part, a multiple of one common power of two, and a rest. The high parts of all
values sum without any rounding, in whatever order a device sums; the rest is small, and
is cut again.

Every product in here that matters is exact. A compiler may fuse a product and a sum, in
some of the places that use it and not in others, and only exact products agree.
"""

import tensorflow as tf


def accurate_sum(values, axis):
    """The sum over an axis, which stays with size 1; it has the derivative of a sum."""
    total = tf.reduce_sum(values, axis, keepdims=True)
    return _corrected(total, _cascaded_sum(tf.stop_gradient(values), axis))


def accurate_sum_of_squares(values, axis):
    """The sum of squares over an axis, which stays with size 1."""
    total = tf.reduce_sum(tf.square(values), axis, keepdims=True)
    values = tf.stop_gradient(values)
    high, rest = _cut(values, 2.0**28 * _largest(values, axis))  # 26 bits and 27 bits
    squares = _cascaded_sum(tf.square(high), axis)
    squares += tf.reduce_sum(rest * (values + high), axis, keepdims=True)
    return _corrected(total, squares)


def _cascaded_sum(values, axis):
    """Sums high parts from 2^-20 of the largest value on, then from 2^-40 on, then all.

    2^33 times the largest value exceeds twice the sum of 2^31 terms.
    """
    largest = _largest(values, axis)
    first, rest = _cut(values, 2.0**33 * largest)
    second, rest = _cut(rest, 2.0**13 * largest)
    sums = [tf.reduce_sum(part, axis, keepdims=True) for part in (first, second, rest)]
    return sums[0] + (sums[1] + sums[2])


def _cut(values, at):
    """Returns the high part of each value and the rest, values = high + rest."""
    high = (at + values) - at
    return high, values - high


def _largest(values, axis):
    return tf.reduce_max(tf.abs(values), axis, keepdims=True)


def _corrected(total, accurate):
    """The accurate sum, with the derivative of the plain one."""
    rounding = accurate - tf.stop_gradient(total)
    # Inf and NaN among the values leave nothing to correct, nor does a sum of nothing.
    usable = tf.math.is_finite(rounding)
    return total + tf.where(usable, rounding, tf.zeros_like(rounding))
