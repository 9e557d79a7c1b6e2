"""Counts the bytes that the Lambda baseline moves, from TensorFlow's own graph.

    python tests/lambda_bytes.py

Traces the expression and its gradient, has TensorFlow's optimizer (grappler) rewrite
the graph as it does before running it, and sums the sizes of the inputs and outputs of
every op: without XLA each op is a kernel of its own, that reads and writes memory.
Beside it stand the floor and what statpool's launch plans count.
"""

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2, rewriter_config_pb2
from tensorflow.python.framework import importer
from tensorflow.python.grappler import tf_optimizer

from statpool import launch_plan

SHAPE = 64, 1500, 512
DTYPE = tf.float32
MULTIPROCESSORS = 132  # of an H100

# Ops that hand on memory they were given, or have none.
FREE = {
    "Identity", "IdentityN", "NoOp", "Placeholder", "Reshape", "ExpandDims", "Squeeze",
    "StopGradient", "Const", "Shape", "_Retval", "_Arg",
}  # fmt: skip


def pool(x):
    """The expression of the question."""
    norm = tf.sqrt(tf.reduce_sum(x**2, 1))
    return tf.concat([tf.reduce_mean(x, 1), tf.reduce_max(x, 1), norm], -1)


def pool_and_gradient(x, upstream):
    """A pass forward and one backward."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = pool(x)
    return y, tape.gradient(y, x, upstream)


def optimized_graph(function, *specs) -> tf.Graph:
    """Traces a function and returns its graph after grappler."""
    concrete = tf.function(function, autograph=False).get_concrete_function(*specs)
    fetches = [tensor.name for tensor in concrete.outputs]
    meta = tf.compat.v1.train.export_meta_graph(
        graph_def=concrete.graph.as_graph_def(add_shapes=True), graph=concrete.graph
    )
    nodes = meta.collection_def["train_op"].node_list.value
    nodes.extend(fetches)
    config = config_pb2.ConfigProto()
    # Without it, sums would be rewritten for a device of unknown, so too little memory.
    config.graph_options.rewrite_options.memory_optimization = (
        rewriter_config_pb2.RewriterConfig.NO_MEM_OPT
    )
    graph_def = tf_optimizer.OptimizeGraph(config, meta)
    graph = tf.Graph()
    with graph.as_default():
        importer.import_graph_def(graph_def, name="")
    return graph


def moved_bytes(graph: tf.Graph) -> list[tuple[str, int]]:
    """Returns each op that moves memory, with the bytes of its inputs and outputs."""
    moved = []
    for op in graph.get_operations():
        if op.type in FREE:
            continue
        size = sum(_bytes(tensor) for tensor in [*op.inputs, *op.outputs])
        moved.append((f"{op.type} {op.name}", size))
    return moved


def _bytes(tensor) -> int:
    shape = tensor.shape
    if not shape.is_fully_defined():
        raise ValueError(f"{tensor.name} has no known shape: {shape}")
    return int(np.prod(shape.as_list(), dtype=np.int64)) * tensor.dtype.size


def plan_bytes() -> tuple[int, int]:
    """Returns what statpool's kernels move, forward and backward."""
    plan = launch_plan(SHAPE, DTYPE.name, multiprocessors=MULTIPROCESSORS)
    return tuple(
        plan[name]["bytes_read"] + plan[name]["bytes_written"]
        for name in ("forward", "gradient")
    )


def main() -> None:
    """Prints the ops, and the table."""
    batch, _, channels = SHAPE
    x = tf.TensorSpec(SHAPE, DTYPE)
    upstream = tf.TensorSpec((batch, 3 * channels), DTYPE)
    forward = moved_bytes(optimized_graph(pool, x))
    both = moved_bytes(optimized_graph(pool_and_gradient, x, upstream))
    for title, ops in (("forward", forward), ("forward and backward", both)):
        print(title)
        for name, size in ops:
            if size >= 1e6:
                print(f"  {size / 1e6:9.1f} MB  {name}")
    ours = plan_bytes()
    of_x = int(np.prod(SHAPE)) * DTYPE.size
    totals = {
        "floor": (of_x, 3 * of_x),
        "statpool": (ours[0], sum(ours)),
        "Lambda": tuple(sum(size for _, size in ops) for ops in (forward, both)),
    }
    print("\n| MB moved | forward | forward and backward |\n|---|--:|--:|")
    for name, sizes in totals.items():
        cells = [
            f"{size / 1e6:.1f} ({size / least:.3f} x)"
            for size, least in zip(sizes, totals["floor"], strict=True)
        ]
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
