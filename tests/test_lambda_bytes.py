"""The count of what the Lambda baseline moves, on graphs whose bytes are known."""

import pytest
import tensorflow as tf
from lambda_bytes import moved_bytes, optimized_graph, pool

BATCH, TIME, CHANNELS = 2, 50, 30
OF_X = BATCH * TIME * CHANNELS * 4
OF_RESULT = BATCH * CHANNELS * 4
X = tf.TensorSpec((BATCH, TIME, CHANNELS), tf.float32)


def test_an_op_counts_its_inputs_and_outputs():
    [(name, size)] = moved_bytes(optimized_graph(lambda x: x + x[:1] * 0 + x, X))[-1:]
    assert name.startswith("AddV2")
    assert size == 3 * OF_X


def test_the_lambda_reads_x_in_four_ops_and_writes_its_squares():
    moved = moved_bytes(optimized_graph(pool, X))
    large = sorted(size for _, size in moved if size > OF_X)
    axis = 4  # an int32, which a reduction reads
    assert large == [OF_X + OF_RESULT + axis] * 3 + [2 * OF_X]


def test_an_unknown_shape_is_an_error():
    graph = optimized_graph(tf.exp, tf.TensorSpec((None, 3), tf.float32))
    with pytest.raises(ValueError, match="no known shape"):
        moved_bytes(graph)
