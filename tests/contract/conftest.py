"""The implementation under test: each test of the contract runs once for every one."""

import pytest

from tests.support.implementations import IMPLEMENTATIONS, why_unusable


def _implementations(chosen=IMPLEMENTATIONS):
    return pytest.fixture(params=chosen, ids=str, scope="session")


def _usable(implementation):
    # test_usable fails for it, once and with the reason; the rest would only repeat it.
    reason = why_unusable(implementation)
    if reason:
        pytest.skip(f"{implementation} can't be used: {reason}")
    return implementation


@_implementations()
def implementation(request):
    """Any implementation."""
    return _usable(request.param)


@_implementations([i for i in IMPLEMENTATIONS if not i.compiles_each_shape])
def any_shape(request):
    """One that may be given many shapes and options; XLA needs a second for each."""
    return _usable(request.param)


@_implementations([i for i in IMPLEMENTATIONS if i.checks_arguments])
def rejecting(request):
    """One that says what is wrong with its arguments; a launcher trusts them."""
    return _usable(request.param)


@_implementations(
    [i for i in IMPLEMENTATIONS if i.checks_arguments and not i.compiles_each_shape]
)
def rejecting_any_shape(request):
    """The same, given many arguments."""
    return _usable(request.param)


@_implementations([i for i in IMPLEMENTATIONS if hasattr(i, "global_stats")])
def differentiable(request):
    """One that TensorFlow can differentiate again."""
    return _usable(request.param)


@_implementations([i for i in IMPLEMENTATIONS if i.checks_values])
def checking(request):
    """One that can reject what only values show."""
    return _usable(request.param)


@_implementations([i for i in IMPLEMENTATIONS if not i.checks_values])
def unchecking(request):
    """One that can't."""
    return _usable(request.param)


@_implementations([i for i in IMPLEMENTATIONS if getattr(i, "mode", None) == "xla"])
def compiled(request):
    """One inside XLA."""
    return _usable(request.param)
