"""The gradients of the native ops.

The gradient of the op is the hand-written kernel. The gradient of that gradient comes
from the composite's formula, in float64, which TensorFlow differentiates as often as
anyone asks.
"""

import tensorflow as tf
from tensorflow.python.eager import forwardprop_util
from tensorflow.python.framework import ops as framework_ops

from statpool import _tensors, composite
from statpool._options import SAMPLE_STD, Options

_ATTRIBUTES = ("epsilon", "data_format", "input_activation", "negative_slope")


def register(ops, namespace="Statpool") -> None:
    """Registers both gradients; `ops` is the module of raw ops of that namespace.

    Once for a process: statpool may be reloaded, or imported again.
    """
    if is_registered(f"{namespace}>GlobalStats"):
        return

    @tf.RegisterGradient(f"{namespace}>GlobalStats")
    def _global_stats(op, upstream, _):
        x, *optional = op.inputs
        dx = ops.statpool_global_stats_grad(
            upstream,
            x,
            op.outputs[1],
            *split_optional(op, optional),
            **{name: op.get_attr(name) for name in _ATTRIBUTES},
            statistics=_statistics(op),
        )
        return dx, *[None] * len(optional)

    @tf.RegisterGradient(f"{namespace}>GlobalStatsGrad")
    def _global_stats_grad(op, upstream):
        pooled_upstream, x, _, *optional = op.inputs
        # In the graph at hand: a loop's gradient captures what is of its body unseen by
        # the tape.
        pooled_upstream, x = tf.identity(pooled_upstream), tf.identity(x)
        mask, lengths = (
            tensors[0] if tensors else None for tensors in split_optional(op, optional)
        )
        options = options_of(op)
        # An accumulator around the caller would watch in the tape's place.
        with forwardprop_util.push_forwardprop_state(), tf.GradientTape() as tape:
            tape.watch((pooled_upstream, x))
            of_a = composite.global_stats_gradient(
                tf.cast(_tensors.activated(x, options), tf.float64),
                tf.cast(pooled_upstream, tf.float64),
                mask,
                lengths,
                statistics=options.statistics,
                epsilon=options.epsilon,
                correction=options.correction,
                data_format=options.data_format,
            )
            dx = tf.cast(_tensors.activation_gradient(x, of_a, options), x.dtype)
        of_upstream, of_x = tape.gradient(dx, (pooled_upstream, x), upstream)
        return of_upstream, of_x, None, *[None] * len(optional)


def options_of(op):
    """Returns how an op pools."""
    name = op.get_attr("input_activation").decode()
    names = _statistics(op)
    return Options.check(
        statistics=["std" if name == SAMPLE_STD else name for name in names],
        correction=int(SAMPLE_STD in names),
        epsilon=op.get_attr("epsilon"),
        data_format=op.get_attr("data_format").decode(),
        input_activation=None if name == "none" else name,
        negative_slope=op.get_attr("negative_slope"),
    )


def is_registered(op_type) -> bool:
    """Returns whether TensorFlow has a gradient of that op."""
    try:
        framework_ops._gradient_registry.lookup(op_type)
    except LookupError:
        return False
    return True


def split_optional(op, tensors):
    """Returns the optional inputs, split into the list of masks and that of lengths."""
    masks = op.get_attr("num_masks")
    return list(tensors[:masks]), list(tensors[masks:])


def _statistics(op):
    return tuple(name.decode() for name in op.get_attr("statistics"))
