"""The native ops in `tf.vectorized_map`: the loop's axis becomes part of the batch."""

import tensorflow as tf
from tensorflow.python.ops.parallel_for import pfor


def register(namespace="Statpool") -> None:
    """Registers the converter for both ops of that namespace, once for a process."""
    for op_type in (f"{namespace}>GlobalStats", f"{namespace}>GlobalStatsGrad"):
        if op_type not in pfor._pfor_converter_registry:
            pfor.RegisterPFor(op_type)(_fold_the_loop)


def _fold_the_loop(loop):
    """Calls the op once for all iterations: its examples don't know of each other.

    What is the same in every iteration is repeated first.
    """
    loop.stack_inputs()
    stacked = [tensor.t for tensor in loop.inputs]  # [iterations, B, ...]
    sizes = tf.shape(stacked[0])[:2]
    results = pfor._create_op(
        loop.op_type,
        [_reshape(tensor, 2, [tf.reduce_prod(sizes)]) for tensor in stacked],
        [output.dtype for output in loop.outputs],
        loop.op.node_def.attr,
    )
    return [pfor.wrap(_reshape(result, 1, sizes)) for result in results.outputs]


def _reshape(tensor, axes, sizes):
    """The tensor with other sizes in place of its first axes."""
    return tf.reshape(tensor, tf.concat([sizes, tf.shape(tensor)[axes:]], 0))
