"""The sequences of a composite, and what their statistics share."""

import dataclasses

import tensorflow as tf

from statpool._units import UNITS


@dataclasses.dataclass(frozen=True)
class Series:
    """Sequences whose steps that don't count hold 0, in the dtype of their sums."""

    x: tf.Tensor  # [B, T, C] or [B, C, T], float32 or float64, at least one step
    valid: tf.Tensor | None  # bool [B, T, 1] or [B, 1, T]; None if all steps count
    count: tf.Tensor  # N, but 1 where no step counts: [B, 1, 1], or [] if all count
    epsilon: tf.Tensor | float  # in squares of the units of x
    freedom: tf.Tensor  # N - the correction of std, at least 1; of the shape of count
    time: int  # its axis
    may_vanish: bool = False  # whether a root can be 0

    @classmethod
    def of(cls, x, mask, lengths, options):
        """The sequences of a call; one without steps gets a step of 0.

        That has the statistics of an empty one, and no maximum of nothing is taken,
        which would be infinite.
        """
        time, steps = options.time, x.shape.as_list()[options.time]
        if not steps:
            missing = 1 - tf.minimum(tf.shape(x)[time], 1)
            x = tf.pad(x, [[0, missing if axis == time else 0] for axis in range(3)])
            mask = None if mask is None else tf.pad(mask, [[0, 0], [0, missing]])
        x = x if x.dtype == tf.float64 else tf.cast(x, tf.float32)
        valid = valid_steps(x, mask, lengths, time)
        if valid is None:
            count = tf.cast(steps or tf.shape(x)[time], x.dtype)
        else:
            valid = tf.expand_dims(valid, options.channel)
            x = tf.where(valid, x, tf.zeros([], x.dtype))
            count = tf.reduce_sum(tf.cast(valid, x.dtype), time, keepdims=True)
            count = tf.maximum(count, 1.0)
        freedom = tf.maximum(count - 1.0, 1.0) if options.correction else count
        return cls(x, valid, count, options.epsilon, freedom, time)

    def where_valid(self, values, otherwise=0.0):
        """The values at the steps that count, something else at the others."""
        if self.valid is None:
            return values
        return tf.where(self.valid, values, tf.cast(otherwise, values.dtype))

    def sum(self, values):
        """The sum over time, which stays an axis, like those of all statistics."""
        return tf.reduce_sum(values, self.time, keepdims=True)

    def mean(self, values):
        """The mean of values that are 0 where a step doesn't count."""
        if self.valid is None:
            return tf.reduce_mean(values, self.time, keepdims=True)
        return self.sum(values) / self.count

    def centred(self, mean):
        """The x minus its mean; done twice, to remove the rounding of the first.

        The second time has all of the derivative.
        """
        nearly = self.where_valid(self.x - tf.stop_gradient(mean))
        return self.where_valid(nearly - self.mean(nearly))

    def has_usual_epsilon(self) -> bool:
        """Whether its root lies where squares neither overflow nor vanish."""
        units = UNITS[self.x.dtype.name]
        return units.least**2 <= self.epsilon <= units.most**2

    def rescaled(self):
        """The series in a unit for each column, and 1 / units.

        They are chosen among constants: XLA turns x / unit / root into
        x / (unit * root), which may overflow.
        """
        units = UNITS[self.x.dtype.name]
        largest = tf.reduce_max(tf.abs(self.x), self.time, keepdims=True)
        largest = tf.maximum(tf.stop_gradient(largest), self.epsilon**0.5)
        is_huge = largest > units.most
        # A column of 0 keeps the unit 1: XLA may multiply its unit with another first.
        is_tiny = tf.logical_and(largest > 0.0, largest < units.least)
        of_tiny = 1.0 if self.has_usual_epsilon() else units.of_tiny

        def choose(constants):
            huge, tiny, usual = (tf.constant(c, self.x.dtype) for c in constants)
            return tf.where(is_huge, huge, tf.where(is_tiny, tiny, usual))

        of_columns = (units.of_huge, of_tiny, 1.0)
        per_unit = choose(1.0 / unit for unit in of_columns)
        epsilon = choose(self.epsilon / unit / unit for unit in of_columns)
        scaled = dataclasses.replace(
            self, x=self.x * per_unit, epsilon=epsilon, may_vanish=True
        )
        return scaled, per_unit


def valid_steps(x, mask, lengths, time):
    """Returns which steps count, `[B, T]`: those that mask and lengths both allow."""
    if lengths is None:
        return mask
    steps = tf.range(tf.shape(x, out_type=tf.int64)[time])
    within = steps < tf.cast(lengths, tf.int64)[:, tf.newaxis]
    return within if mask is None else tf.logical_and(within, mask)


def count_steps(x, mask, lengths, time):
    """Returns how many steps count, N, int64 `[B]`."""
    valid = valid_steps(x, mask, lengths, time)
    if valid is not None:
        # A True may be any byte but 0, and its cast is that byte.
        one_each = tf.where(valid, tf.ones([], tf.int64), tf.zeros([], tf.int64))
        return tf.reduce_sum(one_each, axis=1)
    sizes = tf.shape(x, out_type=tf.int64)
    return tf.fill(sizes[:1], sizes[time])
