"""A process ends well while a daemon thread is in `statpool.numpy`."""

import pytest

from tests.support.fresh_process import run

CODE = """
import threading, time
import numpy as np
import statpool.numpy
x = np.ones((2, 50, 8), np.float32)
upstream = np.ones((2, 24), np.float32)
def call():
    while True:
        {call}
for _ in range(3):
    threading.Thread(target=call, daemon=True).start()
time.sleep(0.2)
"""
CALLS = {
    "values": "statpool.numpy.global_stats(x)",
    "gradient": "statpool.numpy.global_stats_gradient(x, upstream)",
}


@pytest.mark.parametrize("call", CALLS)
def test_the_process_exits_without_a_signal(call):
    for _ in range(5):
        done = run(CODE.format(call=CALLS[call]))
        assert done.returncode == 0, done.stderr
