"""Every implementation must be usable here; the other tests skip those that aren't."""

from pathlib import Path

import pytest

import statpool
from statpool import _native
from tests.support import native_build
from tests.support.implementations import IMPLEMENTATIONS, INSTRUCTION_SETS
from tests.support.native_build import UnavailableError


@pytest.mark.parametrize("one", IMPLEMENTATIONS, ids=str)
def test_implementation_is_usable(one):
    try:
        one.load()
    except UnavailableError as error:
        pytest.skip(str(error))


def test_the_build_under_test_is_loaded():
    """Not what `make build` installed, where `--build` says another one."""
    installed = native_build.folder() == native_build.DEFAULT
    expected = Path(statpool.__file__).parent if installed else native_build.folder()
    assert Path(_native.core().__file__).parent == expected


def test_every_compiled_instruction_set_is_an_implementation():
    assert statpool.build_info()["instruction_sets"] == list(INSTRUCTION_SETS)
