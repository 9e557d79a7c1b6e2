"""A stream outside TensorFlow: a step function that takes and returns the state."""

import numpy as np
import tensorflow as tf

from statpool import reference, streaming
from statpool.streaming import State

B, STEPS, C = 2, 8, 5
NAMES = ("mean", "max", "min", "l2", "rms", "std")


class Step(tf.Module):
    """The statistics after a piece, and the state, by name."""

    def __call__(self, x, **state):
        state = streaming.update(State(**state), x, implementation="composite")
        return {"y": streaming.result(state, NAMES), **state._asdict()}


def test_a_step_in_litert():
    step, state = Step(), streaming.init(B, C, sum_dtype="float32")
    known = {
        name: tf.TensorSpec(value.shape, value.dtype, name)
        for name, value in state._asdict().items()
    }
    function = tf.function(step.__call__).get_concrete_function(
        x=tf.TensorSpec((B, STEPS, C), name="x"), **known
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], step)
    runner = tf.lite.Interpreter(model_content=converter.convert())
    run = runner.get_signature_runner()
    x = np.random.default_rng(0).normal(2, 1, size=(B, 5 * STEPS, C)).astype("float32")
    now = {name: value.numpy() for name, value in state._asdict().items()}
    for start in range(0, 5 * STEPS, STEPS):
        now = run(x=x[:, start : start + STEPS], **now)
        y = now.pop("y")
        expected = reference.global_stats(x[:, : start + STEPS], statistics=NAMES)
        np.testing.assert_allclose(y, expected, rtol=2e-6)
    assert (now["count"] == 5 * STEPS).all()
