"""The engines run the providers: one per array library, and one for CUDA kernels.

Each is a module NAME_engine with `PROVIDERS` and `create(device)`, device "cpu" or
"gpu". That raises an ImportError if its library isn't installed, and a RuntimeError if
the library can't use the device.
"""


class Engine:
    """Turns a provider and the inputs of a case into outputs, and something to time.

    Methods of every engine:
        place(arrays): Moves the inputs of a case to the device.
        outputs(provider, mode, case, placed): Runs once: [y] for forward, else [y, dx].
        runner(provider, cell, placed): A measure.Runner.
        training(provider, cell): For "step" cells: a runner of steps, the loss after
            one, the bytes that one accesses, and the right loss: that of the stock way.
    """

    has_clock = True  # times mean nothing under an emulator

    def handles(self, provider, cell) -> bool:
        """Whether the cell means something for both; many have no loop in a graph."""
        return cell.dispatch in ("call", "graph") and not cell.in_loop

    def limits(self, cell, arrays) -> list:
        """Limits of the machine that this engine can time next to a cell's calls."""
        return []
