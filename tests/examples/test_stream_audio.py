"""The examples of streams: live pieces, and an hour in constant memory."""

import sys

import numpy as np
import pytest

from examples import stream_audio
from tests.support import fresh_process


def test_live_pieces_end_as_all_at_once(capsys):
    y, whole = stream_audio.main("live")
    np.testing.assert_allclose(y, whole, rtol=1e-5, atol=1e-5)
    printed = capsys.readouterr().out
    assert "   3 s: mean" in printed
    assert "300 pieces: off by" in printed


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured on Linux only")
def test_an_hour_takes_no_memory():
    y, grown = fresh_process.call(stream_audio.hour)
    mean, largest, std = np.split(y[0], 3)
    assert abs(mean - 2).max() < 0.01
    assert abs(std - 1).max() < 0.01
    assert (largest > 5).all()
    assert grown <= 64 << 20
