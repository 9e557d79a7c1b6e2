"""What is compared: a way of pooling, and the engine that runs it.

Each engine lists its own in `PROVIDERS`; a new one is a few lines there.
"""

import dataclasses
import importlib
from collections.abc import Callable, Iterable

from benchmarks import cases

ENGINES = ("tensorflow", "core", "jax", "torch", "cuda")


@dataclasses.dataclass(frozen=True)
class Provider:
    """One way of pooling over time.

    `pool` maps x, mask or None, and the axis of time to the output [B, 3 C], in the
    arrays of its engine; the engines "core" and "cuda" have their own.
    """

    name: str
    pool: Callable | None = None
    engine: str = "tensorflow"
    compiled: bool = False  # by XLA or torch.compile
    threads: int | None = None  # at most, None for one per core (engine "core")
    dtypes: tuple[str, ...] | None = None  # None: all
    takes_masks: bool = True
    epsilon: float = cases.EPSILON  # below the root
    statistics: tuple[str, ...] = cases.STATISTICS  # others only in engine "cuda"
    ours: bool = False  # statpool computes it
    trains: bool = False  # in training steps too
    inside: bool = False  # pools with what is before it inside; in training steps only

    def handles(self, case: cases.Case) -> bool:
        """Whether it can pool that input, and it is of interest there."""
        has_dtype = self.dtypes is None or case.dtype in self.dtypes
        return has_dtype and (self.takes_masks or not case.masked)


def engine_module(name: str):
    """The module of an engine; raises an ImportError if its library is missing."""
    return importlib.import_module(f"benchmarks.engines.{name}_engine")


def providers_of(engines: Iterable[str]) -> list[Provider]:
    """All providers of these engines; one stands for an engine that can't be had."""
    providers = []
    for name in engines:
        try:
            providers += engine_module(name).PROVIDERS
        except ImportError:
            providers.append(Provider(f"all of {name}", engine=name))
    return providers
