"""How states of sequences merge, and what statistics they have.

Written once, over the operations of an array library. Sums are pairs of floats, value
+ rest, of twice the precision: so the order of merges hardly matters, and the variance
can be taken from the sum of squares.
"""

import math

from statpool._options import dtype_name
from statpool._streaming_state import State, dtypes_of
from statpool._units import UNITS


class Algebra:
    """States of one array library, whose operations subclasses give."""

    # where(condition, a, b), maximum(a, b), absolute(a), sqrt(a), is_finite(a),
    # cast(a, dtype), constant(number, dtype), full(shape, number, dtype), and a without
    # the lower half of its mantissa: upper_half(a).

    # --------------------------------------------------------------------- pairs

    def _pair(self, value, rest):
        """Value + rest, of which the first is larger; Inf and NaN have no rest."""
        rest = self.where(self.is_finite(value), rest, 0.0)
        total = value + rest
        rest = self.where(self.is_finite(total), rest - (total - value), 0.0)
        return total, rest

    def _add(self, a, b):
        """The sum of two pairs, by Knuth's TwoSum."""
        total = a[0] + b[0]
        of_b = total - a[0]
        error = (a[0] - (total - of_b)) + (b[0] - of_b)
        return self._pair(total, error + (a[1] + b[1]))

    def _product(self, a, b):
        """The exact product of two numbers, by Dekker's halves."""
        value = a * b
        a_high, b_high = self.upper_half(a), self.upper_half(b)
        a_low, b_low = a - a_high, b - b_high
        # In this order each sum is exact.
        rest = ((a_high * b_high - value) + a_high * b_low) + a_low * b_high
        return value, rest + a_low * b_low

    def over(self, pair, divisor):
        """A pair divided by a number."""
        quotient = pair[0] / divisor
        back, back_rest = self._product(quotient, divisor)
        rest = (pair[0] - back) - back_rest + pair[1]
        return self._pair(quotient, rest / divisor)

    def times(self, pair, factor):
        """A pair times a number."""
        value, rest = self._product(pair[0], factor)
        return self._pair(value, rest + pair[1] * factor)

    def _square_over(self, pair, count):
        """pair^2 / count."""
        square, rest = self._product(pair[0], pair[0])
        return self.over((square, rest + 2.0 * pair[0] * pair[1]), count)

    # ---------------------------------------------------------------------- units

    def unit(self, top, bottom, dtype, least=0.0):
        """The unit of sums of that dtype; 1.0 if they are wider than x.

        Args:
          top: The maximum of x, `[B, C]`.
          bottom: The minimum.
          dtype: That of the sums.
          least: A magnitude that the unit must suit, too.
        """
        if dtype_name(top.dtype) != dtype_name(dtype):
            return 1.0
        units = UNITS[dtype_name(dtype)]
        one, tiny, huge = (
            self.constant(unit, dtype) for unit in (1.0, units.of_tiny, units.of_huge)
        )
        largest = self.maximum(self.largest(top, bottom), self.constant(least, dtype))
        return self.where(
            largest > units.most, huge, self.where(largest < units.least, tiny, one)
        )

    def largest(self, top, bottom):
        """The largest magnitude between the extremes; NaN if they are."""
        return self.maximum(self.absolute(top), self.absolute(bottom))

    def rescaled(self, value, unit, to):
        """A sum in another unit. In two steps, for the factor itself may vanish."""
        if isinstance(unit, float):
            return value
        return self.where(unit == to, value, value / to * unit)

    def rescaled_square(self, value, unit, to):
        """A sum of squares in another unit."""
        return self.rescaled(self.rescaled(value, unit, to), unit, to)

    # --------------------------------------------------------------------- states

    def empty(self, batch, channels, dtype, sum_dtype) -> State:
        """The state before the first step."""
        extreme, sums = dtypes_of(dtype, sum_dtype)
        shape = (batch, channels)
        zero, none = self.full(shape, 0, sums), self.full(shape, 0, "int64")
        infinite = self.full(shape, float("inf"), extreme)
        count = self.full((batch,), 0, "int64")
        return State(count, zero, zero, zero, zero, -infinite, none, infinite, none)

    def of_piece(self, count, piece, sum_dtype) -> State:
        """The state of a piece.

        Args:
          count: Its steps that count, int64 `[B]`.
          piece: Its statistics.
          sum_dtype: Of the state.
        """
        is_empty = (count == 0)[:, None]
        unit = self.unit(piece.max, piece.min, sum_dtype)
        mean, mean_rest, std = (
            self.cast(value, sum_dtype) / unit
            for value in (piece.mean, piece.mean_rest, piece.std)
        )
        n = self._divisor(count, sum_dtype)
        total = self.times((mean, mean_rest), n)
        squares = self._add(self._square_over(total, n), (n * std * std, 0.0 * n))
        # An Inf among the steps makes std NaN, and the sum of squares Inf.
        largest = self.cast(self.largest(piece.max, piece.min), sum_dtype)
        top, bottom = (
            self.where(is_empty, self.constant(value, piece.max.dtype), extreme)
            for value, extreme in ((-math.inf, piece.max), (math.inf, piece.min))
        )
        return State(
            count,
            *total,
            self.where(self.is_finite(largest), squares[0], largest),
            squares[1],
            top,
            self.cast(piece.max_count, "int64"),
            bottom,
            self.cast(piece.min_count, "int64"),
        )

    def merged(self, a, b) -> State:
        """The state of the steps of both."""
        top, top_count = self._extreme(a.max, a.max_count, b.max, b.max_count, 1)
        bottom, bottom_count = self._extreme(a.min, a.min_count, b.min, b.min_count, -1)
        unit = self.unit(top, bottom, a.sum.dtype)
        a_sum, a_squares = self._sums(a, unit)
        b_sum, b_squares = self._sums(b, unit)
        return State(
            a.count + b.count,
            *self._add(a_sum, b_sum),
            *self._add(a_squares, b_squares),
            top,
            top_count,
            bottom,
            bottom_count,
        )

    def _extreme(self, a, a_count, b, b_count, sign):
        """The larger of two, or the smaller, and its steps. NaN equals none."""
        extreme = self.where((sign * a >= sign * b) | (a != a), a, b)
        count = self.where(a == extreme, a_count, 0) + self.where(
            b == extreme, b_count, 0
        )
        return extreme, count

    def _sums(self, state, to):
        """The sum and the sum of squares, pairs, in another unit."""
        unit = self.unit(state.max, state.min, state.sum.dtype)
        first = [self.rescaled(v, unit, to) for v in (state.sum, state.sum_rest)]
        second = state.squares, state.squares_rest
        return first, [self.rescaled_square(v, unit, to) for v in second]

    def _divisor(self, count, dtype):
        """N, but 1 where no step counts, `[B, 1]`."""
        return self.cast(self.maximum(count, 1), dtype)[:, None]

    # ----------------------------------------------------------------- statistics

    def statistics(self, state, options):
        """The statistics that the options ask for, `[B, C]` each."""
        dtype, epsilon = dtype_name(state.sum.dtype), options.epsilon
        n = self._divisor(state.count, dtype)
        top, bottom = self._extremes(state)
        unit = self.unit(top, bottom, dtype, epsilon**0.5)
        total, squares = self._sums(state, unit)

        def or_nan(value, divisor):
            """Value / divisor. Where it is NaN, the slope is NaN and not 0."""
            return value / self.where(value != value, value, divisor)

        def root(power):
            power = or_nan(power, 1.0) + epsilon / unit / unit
            is_zero = power == 0.0
            some = self.where(is_zero, 1.0, power)
            return self.where(is_zero, 0.0, self.sqrt(some) * unit)

        def value(name):
            if name in ("max", "min"):
                return top if name == "max" else bottom
            if name == "mean":
                return or_nan(total[0], n) * unit
            if name == "l2":
                return root(squares[0])
            if name == "rms":
                return root(squares[0] / n)
            variance = self.variance(total, squares, n)
            if options.correction:
                variance = variance * (n / self.maximum(n - 1.0, 1.0))
            return root(variance)

        return [value(name) for name in options.statistics]

    def variance(self, total, squares, n):
        """The mean of squares minus the square of the mean, where that is above 0."""
        square = self._square_over(total, n)
        high, low = self._add(squares, (-square[0], -square[1]))
        deviations = high + low
        return self.where(deviations <= 0.0, 0.0, deviations) / n

    def _extremes(self, state):
        """The maximum and the minimum, 0 where no step counts."""
        is_empty = (state.count == 0)[:, None]
        return [
            self.where(is_empty, 0.0, extreme) for extreme in (state.max, state.min)
        ]
