"""The implementation under test: each test of the contract runs once for every one."""

import pytest

from tests.support.implementations import (
    IMPLEMENTATIONS,
    NumpyCore,
    ProgramCore,
    why_unusable,
)
from tests.support.native_build import folder


def usable(implementation):
    # test_usable fails for it, once and with the reason; the rest would only repeat it.
    if reason := why_unusable(implementation):
        pytest.skip(f"{implementation} can't be used: {reason}")
    return implementation


def each(belongs):
    """A fixture that is, in turn, every implementation for which `belongs` holds."""
    chosen = [one for one in IMPLEMENTATIONS if belongs(one)]

    @pytest.fixture(params=chosen, ids=str, scope="session")
    def fixture(request):
        yield usable(request.param)
        request.param.forget()

    return fixture


implementation = each(lambda one: True)
# XLA needs a second for each shape and each set of options.
any_shape = each(lambda one: not one.compiles_each_shape)
# Launchers trust their caller: every layer above them checks.
rejecting = each(lambda one: one.checks_arguments)
rejecting_any_shape = each(
    lambda one: one.checks_arguments and not one.compiles_each_shape
)
# TensorFlow can differentiate these again.
differentiable = each(lambda one: hasattr(one, "global_stats"))
# Whether it can reject what only values show.
checking = each(lambda one: one.checks_values)
unchecking = each(lambda one: not one.checks_values)
compiled = each(lambda one: getattr(one, "mode", None) == "xla")
core = each(lambda one: isinstance(one, (NumpyCore, ProgramCore)))
program = each(lambda one: isinstance(one, ProgramCore))


@pytest.fixture(scope="session")
def first():
    """The core that the others are compared with."""
    for one in IMPLEMENTATIONS:
        if isinstance(one, (NumpyCore, ProgramCore)) and not why_unusable(one):
            return one
    return pytest.skip(f"no core of {folder()} can be used: see test_usable")
