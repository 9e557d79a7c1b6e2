"""Every implementation must be usable here; the other tests skip those that aren't."""

import pytest
from implementations import IMPLEMENTATIONS, why_unusable


@pytest.mark.parametrize("one", IMPLEMENTATIONS, ids=str)
def test_implementation_is_usable(one):
    reason = why_unusable(one)
    assert not reason, reason
