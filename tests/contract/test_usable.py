"""Every implementation must be usable here; the other tests skip those that aren't."""

import pytest
from cuda_launchers import UnavailableError
from implementations import IMPLEMENTATIONS


@pytest.mark.parametrize("one", IMPLEMENTATIONS, ids=str)
def test_implementation_is_usable(one):
    try:
        one.load()
    except UnavailableError as error:
        pytest.skip(str(error))
