"""Every implementation of the contract. A new one joins with a line in `_all`."""

import functools

from tests.support.core_implementations import (
    INSTRUCTION_SETS,
    CudaLaunchers,
    NumpyCore,
    ProgramCore,
    Reference,
)
from tests.support.jax_implementations import Jax
from tests.support.tensorflow_implementations import (
    EmulatedOps,
    Streamed,
    TensorFlow,
)


@functools.cache
def why_unusable(implementation) -> str:
    """Returns the reason in words, or nothing if the implementation is usable."""
    try:
        implementation.load()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def _all():
    yield Reference()
    yield from map(NumpyCore, INSTRUCTION_SETS)
    yield from map(ProgramCore, ("avx512-emulated", "aarch64"))
    yield CudaLaunchers()
    modes = ("eager", "graph", "xla")
    yield from (TensorFlow("composite", mode) for mode in modes)
    yield from (TensorFlow("native", mode) for mode in modes)
    yield from (TensorFlow("native", mode, "GPU") for mode in modes)
    yield Streamed("native", "eager")
    yield Streamed("composite", "eager")
    yield from map(Jax, ("native", "composite"))
    yield from map(EmulatedOps, ("eager", "graph"))


IMPLEMENTATIONS = tuple(_all())
