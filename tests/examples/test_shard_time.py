"""The example of sequences cut along time: as on one device."""

import numpy as np

from examples import shard_time
from tests.support import fresh_process


def test_two_devices_train_as_one_does():
    sharded, whole = fresh_process.call(shard_time.main)
    losses, of_x, weights = sharded
    assert len(losses[0]) == 2
    assert all(one == other for one, other in losses)
    np.testing.assert_allclose(np.array(losses)[:, :1], whole[0], rtol=1e-6)
    np.testing.assert_allclose(of_x, whole[1], rtol=1e-4, atol=1e-8)
    for ours, theirs in zip(weights, whole[2], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)
    assert losses[-1][0] < 0.8 * losses[0][0]
