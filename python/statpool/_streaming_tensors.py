"""States of tensors, and the gradients of all that is done with them.

The cotangents of the sums are those of any sums: what a step adds to one counts by this
much. They are times the unit, once: of the square of a unit nothing might be left. The
cotangent of an extreme is the share of each step that attains it. So a merge passes all
on as it is, and the gradient of a piece, whatever the other pieces are,

    dx = of_sum + 2 of_squares x + (x == max ? of_max : 0) + (x == min ? of_min : 0)

The cotangent of sum_rest is what rounding took from of_sum. That of squares_rest is the
part of of_squares from a std of equal steps: it adds nothing to dx, and would hide all
else beside a mean that is large, but has its share in the derivative of dx.
"""

import tensorflow as tf

from statpool._streaming_algebra import Algebra
from statpool._streaming_state import State


def with_value(tensor, value):
    """Returns the value, whose derivative is that of the tensor."""
    return tensor + tf.stop_gradient(value - tensor)


class TensorAlgebra(Algebra):
    """The algebra on tensors, differentiable with respect to sums and extremes."""

    maximum = staticmethod(tf.maximum)
    absolute = staticmethod(tf.abs)
    sqrt = staticmethod(tf.sqrt)
    is_finite = staticmethod(tf.math.is_finite)
    cast = staticmethod(tf.cast)
    constant = staticmethod(tf.constant)

    def where(self, condition, a, b):
        like = b if isinstance(a, float | int) else a  # numbers take its dtype
        return tf.where(condition, tf.cast(a, like.dtype), tf.cast(b, like.dtype))

    def full(self, shape, number, dtype):
        return tf.fill(shape, tf.constant(number, dtype))

    def upper_half(self, array):
        integer, lower = {8: (tf.int64, 2**27), 4: (tf.int32, 2**12)}[array.dtype.size]
        bits = tf.bitcast(array, integer)  # LiteRT knows no other way to clear some
        return tf.bitcast(bits - tf.math.floormod(bits, lower), array.dtype)

    def merged(self, a, b) -> State:
        merged = super().merged

        @tf.custom_gradient
        def merge(*fields):
            a, b = State(*fields[:9]), State(*fields[9:])
            whole = merged(a, b)

            def gradient(*upstream):
                of_whole = State(*upstream)
                return [
                    cotangent
                    for part in (a, b)
                    for cotangent in self.of_part(part, whole, of_whole)
                ]

            return tuple(whole), gradient

        return State(*merge(*a, *b))

    def rescaled_square(self, value, unit, to):
        if isinstance(unit, float):
            return value
        rescaled_square = super().rescaled_square

        @tf.custom_gradient
        def rescaled(value):
            def gradient(upstream):
                return self.rescaled(upstream / to, unit, to)

            return rescaled_square(value, unit, to), gradient

        return rescaled(value)

    def of_part(self, part, whole, of_whole):
        """Returns the cotangents of a part of the whole; None for what has none."""
        unit, to = (
            self.unit(state.max, state.min, state.sum.dtype) for state in (part, whole)
        )
        return State(
            None,
            self.rescaled(of_whole.sum, unit, to),
            self.rescaled(of_whole.sum_rest, unit, to),
            self.rescaled(of_whole.squares, unit, to),
            self.rescaled(of_whole.squares_rest, unit, to),
            self.where(part.max == whole.max, of_whole.max, 0.0),
            None,
            self.where(part.min == whole.min, of_whole.min, 0.0),
            None,
        )

    def variance(self, total, squares, n):
        variance = super().variance

        @tf.custom_gradient
        def variance_of(total, total_rest, squares, squares_rest):
            value = variance((total, total_rest), (squares, squares_rest), n)
            is_flat = value == 0.0

            def gradient(upstream):
                of_squares = upstream / n
                of_sum = -2.0 * of_squares * (total / n)
                mean = self.over((total, total_rest), n)
                exact, rest = self.times(mean, -2.0 * of_squares)
                return (
                    with_value(of_sum, self.where(is_flat, 0.0, exact)),
                    tf.stop_gradient(self.where(is_flat, 0.0, rest)),
                    with_value(of_squares, self.where(is_flat, 0.0, of_squares)),
                    tf.stop_gradient(self.where(is_flat, of_squares, 0.0)),
                )

            return value, gradient

        return variance_of(*total, *squares)

    def _extremes(self, state):
        extremes_of = super()._extremes

        @tf.custom_gradient
        def extremes(top, bottom, total):
            def gradient(*upstream):
                of_top, of_bottom = (
                    g / tf.cast(tf.maximum(count, 1), g.dtype)
                    for g, count in zip(
                        upstream, (state.max_count, state.min_count), strict=True
                    )
                )
                # NaN equals no step: all of its channel learn of it by the sum.
                of_sum = self.where(top == top, 0.0, top)
                return of_top, of_bottom, tf.cast(of_sum, total.dtype)

            return extremes_of(state), gradient

        return extremes(state.max, state.min, state.sum)
