"""What is compared: a way of pooling, and who runs it."""

import dataclasses
from collections.abc import Callable

from benchmarks import cases


@dataclasses.dataclass(frozen=True)
class Provider:
    """One way of pooling mean, max and L2 norm over time.

    Attributes:
        name: What tables and pictures call it.
        pool: Maps x, mask or None, and the axis of time to the output [B, 3 C], in
            the arrays of its engine; the engine "core" has its own.
        engine: Who runs it: "tensorflow", "jax", "torch" or "core".
        compiled: Whether a compiler has it: XLA (engines "tensorflow" and "jax") or
            torch.compile.
        threads: Most threads, None for one per core (engine "core").
        everywhere: Whether it takes part in every cell, or only in float32.
        epsilon: What it adds below the root.
        audio_pooling: Its name in the audio classifier of the examples, if it has one.
        ours: Whether statpool computes it.
    """

    name: str
    pool: Callable | None = None
    engine: str = "tensorflow"
    compiled: bool = False
    threads: int | None = None
    everywhere: bool = True
    epsilon: float = cases.EPSILON
    audio_pooling: str | None = None
    ours: bool = False
