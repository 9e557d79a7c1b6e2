"""Who runs the providers: one engine per array library.

An engine turns a provider and the inputs of a case into something to time, and into
outputs to check. All engines have the methods of `Engine`.
"""

import importlib
from typing import Any, Protocol

import numpy as np

from benchmarks import cases
from benchmarks.measure import Runner
from benchmarks.provider import Provider


class Engine(Protocol):
    """What an engine can do."""

    def handles(self, cell: cases.Cell) -> bool:
        """Whether the cell means something for this engine."""

    def place(self, arrays: cases.Inputs) -> Any:
        """Moves the inputs of a case to the device, as arrays of its library."""

    def outputs(
        self, provider: Provider, mode: str, case: cases.Case, placed: Any
    ) -> list[np.ndarray]:
        """Runs once: y for forward, y and dx otherwise."""

    def runner(self, provider: Provider, cell: cases.Cell, placed: Any) -> Runner:
        """Makes something to time."""


def create_engine(name: str, device: str) -> Engine:
    """Creates the engine of that name for "cpu" or "gpu".

    Raises:
        ImportError: If its library isn't installed.
        RuntimeError: If it can't use the device.
    """
    return importlib.import_module(f"benchmarks.engines.{name}_engine").create(device)
