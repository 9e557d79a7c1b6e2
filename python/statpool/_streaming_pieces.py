"""The state of a piece of x, by the op or by stock operations, and its gradient."""

import dataclasses
from typing import NamedTuple

import tensorflow as tf
from tensorflow.python.eager import forwardprop_util

from statpool import _native, _tensors, composite
from statpool._gradients import is_registered, options_of, split_optional
from statpool._options import Options
from statpool._series import count_steps, valid_steps
from statpool._streaming_state import Piece, State
from statpool._streaming_tensors import TensorAlgebra

ALGEBRA = TensorAlgebra()


class _Coefficients(NamedTuple):
    """What the gradient of a piece is made of, `[B, C]` each, in the dtype of extremes.

        dx = constant + slope / root * (x - (centre + centre_rest))

    and the shares of the extremes. One product with a difference, as the gradient of
    std is: a sum of what flows back to the sum and the squares would cancel.
    """

    constant: tf.Tensor
    slope: tf.Tensor
    root: tf.Tensor
    centre: tf.Tensor
    centre_rest: tf.Tensor
    of_max: tf.Tensor
    of_min: tf.Tensor


@dataclasses.dataclass(frozen=True)
class _Steps:
    """A piece of x and how it is pooled."""

    x: tf.Tensor
    mask: tf.Tensor | None
    lengths: tf.Tensor | None
    options: Options

    @property
    def valid(self):
        """Which steps count, in the shape of x but for one channel; None for all."""
        valid = valid_steps(self.x, self.mask, self.lengths, self.options.time)
        return None if valid is None else tf.expand_dims(valid, self.options.channel)

    def count(self):
        """N, int64 `[B]`."""
        return count_steps(self.x, self.mask, self.lengths, self.options.time)

    def where_valid(self, values):
        """The values at the steps that count, 0 at the others."""
        valid = self.valid
        return values if valid is None else ALGEBRA.where(valid, values, 0.0)

    def over_time(self, values):
        """Values `[B, C]` for each step."""
        return tf.expand_dims(values, self.options.time)

    def shares(self, a, state, of_max, of_min):
        """What the steps that equal an extreme get, in the dtype of a."""
        return sum(
            ALGEBRA.where(
                a == self.over_time(tf.cast(extreme, a.dtype)),
                self.over_time(tf.cast(share, a.dtype)),
                0.0,
            )
            for extreme, share in ((state.max, of_max), (state.min, of_min))
        )


class _Native(_Steps):
    """By the kernels: what they save of a piece, and their gradient of that."""

    def piece(self):
        _, saved = _native.ops().statpool_global_stats(
            self.x, Tout=self.dtype(), Tsaved=self.dtype(), **self.arguments()
        )
        return Piece(*tf.unstack(saved, num=len(Piece._fields), axis=1))

    def gradient(self, of, state):
        one = tf.ones_like(of.root)
        saved = (
            one,
            of.centre,
            of.centre_rest,
            state.max,
            one,
            state.min,
            one,
            of.root,
        )
        return _native.ops().statpool_global_stats_grad(
            tf.concat([of.constant, of.of_max, of.of_min, of.slope], 1),
            self.x,
            tf.stack(saved, axis=1),
            **self.arguments(),
        )

    def arguments(self):
        """Those that all ops have."""
        return _tensors.op_arguments(self.mask, self.lengths, self.options)

    def dtype(self):
        """That of what is saved."""
        return tf.float64 if self.x.dtype == tf.float64 else tf.float32


class _Composite(_Steps):
    """By stock operations, in the dtype that composites sum in."""

    def piece(self):
        planes = composite.piece(self.x, self.mask, self.lengths, self.options)
        return Piece(self.count(), *planes)

    def gradient(self, of, state):
        a = self._activated(state.max.dtype)
        constant, slope, root, centre, rest = map(self.over_time, of[:5])
        # Differences of what lies next to the largest number would overflow.
        is_huge = self.over_time(
            ALGEBRA.largest(state.max, state.min) > a.dtype.max / 4
        )
        part = ALGEBRA.where(is_huge, tf.constant(0.25, a.dtype), 1.0)
        distance = part * a - part * centre - part * rest
        dx = constant + distance / root * (slope / part)
        dx = self.where_valid(dx + self.shares(a, state, of.of_max, of.of_min))
        dx = tf.cast(dx, self.x.dtype)
        return _tensors.activation_gradient(self.x, dx, self.options)

    def _activated(self, dtype):
        return tf.cast(_tensors.activated(self.x, self.options), dtype)


def state_of_piece(x, mask, lengths, options, sum_dtype, is_native) -> State:
    """Returns the state of a piece, whose arguments are checked."""
    of_x = _Native if is_native else _Composite
    count = _Steps(x, mask, lengths, options).count()

    @tf.custom_gradient
    def state_of(x):
        steps = of_x(x, mask, lengths, options)
        state = ALGEBRA.of_piece(count, steps.piece(), sum_dtype)

        def gradient(*upstream):
            return _gradient(steps, state, State(*upstream))

        return tuple(state), gradient

    return State(*state_of(x))


def update_by_op(state, x, mask, lengths, options) -> State:
    """Returns the state after a piece by an op of its own, which CPUs have.

    Eagerly the operations of the algebra take a hundred times as long as a short piece.
    """
    piece = _Native(x, mask, lengths, options)
    *after, _ = _native.ops().statpool_streaming_update(
        *state, x, Tout=piece.dtype(), **piece.arguments()
    )
    return State(*after)


_UPDATE = "Statpool>StreamingUpdate"


def _update_gradient(op, *upstream):
    *before, x = op.inputs[: len(State._fields) + 1]
    after = State(*op.outputs[:-1])
    of_after = State(
        *(
            tf.zeros_like(y) if g is None else g
            for y, g in zip(after, upstream[:-1], strict=True)
        )
    )
    saved = Piece(*tf.unstack(op.outputs[-1], num=len(Piece._fields), axis=1))
    piece = after._replace(max=saved.max, min=saved.min)
    optional = list(op.inputs[len(State._fields) + 1 :])
    mask, lengths = (
        tensors[0] if tensors else None for tensors in split_optional(op, optional)
    )
    steps = _Native(x, mask, lengths, options_of(op))
    of_piece = ALGEBRA.of_part(piece, after, of_after)
    dx = _gradient(steps, piece, of_piece)
    of_before = ALGEBRA.of_part(State(*before), after, of_after)
    return *of_before, dx, *[None] * len(optional)


if not is_registered(_UPDATE):
    tf.RegisterGradient(_UPDATE)(_update_gradient)


def _gradient(steps, state, of_state):
    """The gradient of a piece from the cotangents of its state."""
    unit = ALGEBRA.unit(state.max, state.min, state.sum.dtype)

    @tf.custom_gradient
    def gradient(x, of_sum, of_sum_rest, of_squares, of_flat, of_max, of_min):
        here = dataclasses.replace(steps, x=x)
        of = _coefficients((of_sum, of_sum_rest), of_squares, of_max, of_min, unit)

        def second(upstream):
            arguments = x, of_sum, of_squares + of_flat, of_max, of_min
            # In the graph at hand, and unseen by accumulators: as in _gradients.
            arguments = [tf.identity(tensor) for tensor in arguments]
            with forwardprop_util.push_forwardprop_state(), tf.GradientTape() as tape:
                tape.watch(arguments)
                dx = _linear_gradient(steps, state, unit, *arguments)
            gradients = tape.gradient(dx, arguments, upstream)
            return *gradients[:2], None, gradients[2], None, *gradients[3:]

        return here.gradient(of, state), second

    return gradient(steps.x, *of_state[1:6], of_state.min)


def _linear_gradient(steps, state, unit, x, of_sum, of_squares, of_max, of_min):
    """The same gradient as TensorFlow can differentiate it, in float64."""
    steps = dataclasses.replace(steps, x=x)
    a = tf.cast(steps.where_valid(_tensors.activated(x, steps.options)), tf.float64)
    of_sum = tf.cast(of_sum / unit, tf.float64)
    of_squares = tf.cast(of_squares / unit, tf.float64)
    dx = steps.over_time(of_sum) + 2.0 * steps.over_time(of_squares) * a
    dx = steps.where_valid(dx + steps.shares(a, state, of_max, of_min))
    return tf.cast(_tensors.activation_gradient(x, dx, steps.options), x.dtype)


def _coefficients(of_sum, of_squares, of_max, of_min, unit):
    """The coefficients of the gradient; the cotangents of sums are times the unit."""
    dtype, like = of_squares.dtype, of_max.dtype
    where, most = ALGEBRA.where, tf.cast(like.max, dtype)
    slope = 2.0 * of_squares
    centre, rest = ALGEBRA.over((-of_sum[0], -of_sum[1]), slope)
    # Else the slope is 0, or all that it adds vanishes beside the constant.
    is_centred = tf.abs(centre) <= most
    centre = where(is_centred, centre, 0.0)
    constant = where(is_centred, 0.0, of_sum[0] / unit)
    rest = where(is_centred, rest, 0.0)
    # A root that keeps the slope in range, of which a small std makes a large one.
    least = tf.constant({4: 2.0**-126, 8: 2.0**-1022}[like.size], dtype)
    root = tf.clip_by_value(unit / tf.abs(slope), least, most)
    root = tf.cast(where(slope == 0.0, 1.0, root), like)
    of_root = slope * (tf.cast(root, dtype) / unit)
    high = tf.cast(centre, like)
    return _Coefficients(
        tf.cast(constant, like),
        tf.cast(where(slope == 0.0, slope, of_root), like),
        root,
        high,
        tf.cast(centre - tf.cast(high, dtype) + rest, like),
        of_max,
        of_min,
    )
