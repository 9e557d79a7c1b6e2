"""Many calls inside one graph, so that small inputs show the op and not Python.

A compiler of the graph must neither merge the calls, nor move them out of the loop,
nor drop one whose result is never read, nor run two at a time. The two loops below see
to that at next to no cost of their own; tests/benchmarks/test_benchmarks.py counts.
"""

import tensorflow as tf
from tensorflow.compiler.tf2xla.ops.gen_xla_ops import xla_optimization_barrier

from benchmarks import cases
from benchmarks.measure import Runner

UNROLLED = 4  # Calls per turn of the loop, so that its own few ops don't count.
_TINY = 4096  # Bytes of x below which XLA makes one piece of machine code of the loop.


def graph_runner(operation, mode: str, placed) -> Runner:
    """Makes a runner of a loop for TensorFlow's own executor.

    To the graph the arguments of the unrolled calls differ, though the same tensors are
    fed, so nothing is merged. One element of each output goes on to the loop's end, so
    nothing is dropped (a control dependency alone would be), and the next call waits.
    """

    def loop(turns, calls):
        def body(turn, *tokens):
            taken = []
            for call in calls:
                with tf.control_dependencies(tokens):
                    gated = [None if a is None else tf.identity(a) for a in call]
                tokens = [_first_element(output) for output in operation(*gated)]
                taken.append(tokens)
            return turn + 1, *map(tf.add_n, zip(*taken, strict=True))

        zeros = _zero_outputs(mode, *calls[0])
        return _while(turns, body, map(_first_element, zeros))

    run, calls = tf.function(loop, autograph=False), [placed] * UNROLLED
    return Runner(lambda turns: run(tf.constant(turns), calls), batch=UNROLLED)


def compiled_runner(operation, mode: str, placed) -> Runner:
    """Makes a runner of a loop that XLA compiles as a whole."""
    loop = compiled_loop(operation, mode)
    return Runner(lambda turns: loop(tf.constant(turns), placed))


def compiled_loop(operation, mode: str):
    """A function of the number of turns and the arguments of the call.

    The barrier ties the inputs to the counter, so that nothing moves out of the loop.
    The outputs are carried along, so that all of them are written each time. Machine
    code is optimised once more, without the barrier; there the next x has to depend on
    the last outputs, if only as far as the compiler can tell.
    """

    def loop(turns, call):
        x, *others = [a for a in call if a is not None]
        tiny = x.shape.num_elements() * x.dtype.size < _TINY

        def body(turn, x, *_):
            gated = xla_optimization_barrier(input=[x, *others, turn])[:-1]
            arguments = gated + [None] * (len(call) - len(gated))
            outputs = operation(*arguments)
            return turn + 1, gated[0] + _zero(outputs) if tiny else x, *outputs

        return _while(turns, body, [x, *_zero_outputs(mode, *call)])[1:]

    return tf.function(loop, autograph=False, jit_compile=True)


def _while(turns, body, first):
    def more(turn, *_):
        return turn < turns

    return tf.while_loop(more, body, (0, *first), parallel_iterations=1)[1:]


def _zero_outputs(mode, x, upstream, _):
    """Zeros shaped like the outputs of a call."""
    outputs = [tf.zeros_like(upstream), tf.zeros_like(x)]
    return outputs[:1] if mode == cases.FORWARD else outputs


def _zero(outputs):
    """A number that no compiler knows to be 0."""
    flat = [tf.reshape(output, [-1])[0] for output in outputs]
    return sum(tf.cast(tf.math.is_inf(value), value.dtype) for value in flat)


def _first_element(tensor):
    return tf.slice(tensor, [0] * tensor.shape.rank, [1] * tensor.shape.rank)
