"""Statistics of sequences that come in pieces: pure functions over a state that merges.

    state = statpool.streaming.init(batch, channels)
    for x in pieces:
        state = statpool.streaming.update(state, x)
    y = statpool.streaming.result(state)

A state is a plain structure of tensors, `[B, C]` and `[B]`, that passes through
functions, loops, XLA, distribution and checkpoints. Any cut of the sequences and any
order of merges gives the statistics of the whole, within the contract's bounds; N, the
extremes and how many steps equal them exactly.

Results are differentiable with respect to each piece, any number of times: the gradient
is that of one call on all steps, and that of a piece reads this piece alone. What flows
back through a state belongs to a step, not to a piece: the cotangent of max is the
share of each step that attains it. So differentiate results, not fields of a state.
"""

import tensorflow as tf

from statpool import _tensors, ops
from statpool._options import DEFAULT_STATISTICS, Options, check_implementation
from statpool._streaming_pieces import ALGEBRA, state_of_piece, update_by_op
from statpool._streaming_state import (
    State,
    check_mergeable,
    check_piece,
    check_state,
    piece_options,
    result_dtype,
)

__all__ = ["State", "init", "merge", "result", "update"]


def init(batch, channels, dtype="float32", *, sum_dtype="float64") -> State:
    """Returns the state before the first step.

    Args:
      batch: B; a number, or a scalar tensor.
      channels: C.
      dtype: That of x.
      sum_dtype: Of the sums: float64, or float32 where there is no other, as in LiteRT.
        Then std may be off by 2^-22 of the largest magnitude, and float32 x should lie
        within 2^-50 and 2^50.

    Raises:
      tf.errors.InvalidArgumentError: if an argument breaks a rule.
    """
    with _tensors.invalid_argument_errors():
        return ALGEBRA.empty(batch, channels, dtype, sum_dtype)


def update(
    state,
    x,
    mask=None,
    lengths=None,
    *,
    data_format="channels_last",
    input_activation=None,
    negative_slope=0.2,
    implementation="auto",
    name=None,
) -> State:
    """Returns the state after a piece, of any number of steps.

    Args:
      state: Of the steps before, as `init` or `merge` or this returns it.
      x: The piece `[B, T, C]`, or `[B, C, T]` with channels_first.
      mask: Optional, of the piece: as `statpool.global_stats`, like all that follow.
      lengths: Optional, of the piece.
      data_format: As there.
      input_activation: As there.
      negative_slope: As there.
      implementation: As there.
      name: Optional name of the operations.

    Raises:
      tf.errors.InvalidArgumentError: if an argument breaks a rule.
      statpool.NativeLibraryError: with "native", if the op can't run here.
    """
    with _tensors.invalid_argument_errors():
        implementation = check_implementation(implementation)
        options = piece_options(data_format, input_activation, negative_slope)
        check_state(state)
    is_native = ops.use_native(implementation)
    convert = _tensors.convert if is_native else _tensors.check
    asked = mask
    with tf.name_scope(name or "streaming_update"):
        x, mask, lengths = convert(x, mask, lengths, options)
        with _tensors.invalid_argument_errors():
            sizes = x.shape.as_list() if x.shape.rank == 3 else 3 * [None]
            check_piece(state, sizes[0], sizes[options.channel], x.dtype)
        if is_native and _has_op(state):
            return update_by_op(state, x, mask, lengths, options)
        rule = "x must have the batch and channels of the state"
        total = _tensors.with_shape(state.sum, x, (0, options.channel), rule)
        piece = state_of_piece(x, mask, lengths, options, state.sum.dtype, is_native)
        piece = piece._replace(sum=_tensors.marked(piece.sum, asked))
        return ALGEBRA.merged(state._replace(sum=total), piece)


def _has_op(state) -> bool:
    """Whether an op does all of an update, where the next one runs."""
    return (
        state.sum.dtype == tf.float64
        and not _tensors.in_xla()
        and not tf.config.get_visible_devices("GPU")
    )


def merge(a, b) -> State:
    """Returns the state of the steps of both, whose order doesn't matter.

    Raises:
      tf.errors.InvalidArgumentError: if the states are of other batches, channels or
        dtypes.
    """
    with _tensors.invalid_argument_errors():
        check_mergeable(a, b)
    return ALGEBRA.merged(a, b)


def result(
    state,
    statistics=DEFAULT_STATISTICS,
    epsilon=1e-12,
    *,
    correction=0,
    output_dtype=None,
    name=None,
) -> tf.Tensor:
    """Returns the statistics `[B, S * C]` of all steps so far.

    Args:
      state: A state.
      statistics: As `statpool.global_stats`, like epsilon and correction.
      epsilon: As there.
      correction: As there.
      output_dtype: None for float32, or float64 if x is; or float16, bfloat16.
      name: Optional name of the operations.

    Raises:
      tf.errors.InvalidArgumentError: if an argument breaks a rule.
    """
    with _tensors.invalid_argument_errors():
        options = Options.check(statistics, epsilon, correction=correction)
        dtype = result_dtype(state, output_dtype)
    with tf.name_scope(name or "streaming_result"):
        values = ALGEBRA.statistics(state, options)
        y = tf.concat([tf.cast(value, dtype) for value in values], axis=1)
        return _tensors.with_checked_upstream(y)
