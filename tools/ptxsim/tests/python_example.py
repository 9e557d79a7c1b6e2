"""Drives kernels of a shared library through ctypes: results, traffic counts, faults.

Usage: python_example.py LIBCUDART LAUNCHERS
"""

import ctypes
import json
import os
import sys

LAUNCH_FAILURE = 719


class Example:
    """The emulator, and launchers.cu bound to it."""

    def __init__(self, emulator, launchers):
        # A fault becomes an error code; else it would end the process.
        os.environ["PTXSIM_ON_FAULT"] = "error"
        # Loaded first and globally: the launchers bind to it without LD_LIBRARY_PATH.
        self.emulator = ctypes.CDLL(emulator, ctypes.RTLD_GLOBAL)
        self.emulator.ptxsim_stats_json.restype = ctypes.c_char_p
        self.emulator.ptxsim_last_fault.restype = ctypes.c_char_p
        self.launchers = ctypes.CDLL(launchers)

    def square(self, values, count=None):
        """Squares a list on the device; returns the error code and the result."""
        n = len(values)
        x = (ctypes.c_float * n)(*values)
        y = (ctypes.c_float * n)()
        error = self.launchers.SquareCopies(x, y, n if count is None else count, n)
        return error, list(y)

    def only_launch(self):
        """Returns the counts of the one launch since the reset."""
        (launch,) = json.loads(self.emulator.ptxsim_stats_json())["launches"]
        return launch

    def check_counts(self):
        """Every element of x is loaded exactly once, every one of y stored once."""
        self.emulator.ptxsim_reset_stats()
        error, squares = self.square([float(i) for i in range(300)])
        assert error == 0
        assert squares == [float(i * i) for i in range(300)]

        launch = self.only_launch()
        assert launch["grid"] == [3, 1, 1]
        assert launch["block"] == [128, 1, 1]
        x, y = launch["allocations"]
        assert x["bytes_loaded"] == x["distinct_bytes_loaded"] == x["size"] == 1200
        assert x["max_loads_per_byte"] == 1
        assert x["bytes_stored"] == 0
        assert y["bytes_stored"] == y["distinct_bytes_stored"] == y["size"] == 1200
        assert y["max_stores_per_byte"] == 1
        assert y["bytes_loaded"] == 0
        for site in launch["instructions"]:
            assert site["width"] == 4
            assert site["requests"] == site["lines"] == 10  # a line for a warp
            assert site["sectors_per_request"] <= 4
            assert site["line"] > 0

    def check_fault(self):
        """A fault is told, and the process goes on."""
        error, _ = self.square([1.0] * 10, count=11)  # one element too many
        assert error == LAUNCH_FAILURE
        assert b"OUT OF BOUNDS global load" in self.emulator.ptxsim_last_fault()
        self.emulator.ptxsim_clear_fault()
        assert self.square([3.0]) == (0, [9.0])

    def check_lent_memory(self):
        """Host memory, lent with its bounds, or all of it unchecked."""
        x = (ctypes.c_float * 64)(*range(64))
        y = (ctypes.c_float * 64)()
        square = self.launchers.SquareInPlace
        assert square(x, y, 64) == LAUNCH_FAILURE  # not lent yet
        self.emulator.ptxsim_clear_fault()
        for name, array in (("x", x), ("y", y)):
            size = ctypes.c_size_t(ctypes.sizeof(array))
            self.emulator.ptxsim_register(array, size, name.encode())
        self.emulator.ptxsim_reset_stats()
        assert square(x, y, 64) == 0
        assert y[63] == 63.0 * 63.0
        allocations = self.only_launch()["allocations"]
        loads = {a["name"]: a["max_loads_per_byte"] for a in allocations}
        assert loads == {"x": 1, "y": 0}
        assert square(x, y, 65) == LAUNCH_FAILURE  # beyond the end of what was lent
        self.emulator.ptxsim_clear_fault()
        assert self.emulator.ptxsim_unregister(x) == 0
        assert self.emulator.ptxsim_unregister(x) == 1
        self.emulator.ptxsim_unregister(y)
        os.environ["PTXSIM_HOST_MEMORY"] = "1"
        assert square(x, y, 64) == 0
        del os.environ["PTXSIM_HOST_MEMORY"]
        assert square(x, y, 64) == LAUNCH_FAILURE


def main():
    """Runs the example."""
    example = Example(*sys.argv[1:])
    example.check_counts()
    example.check_fault()
    example.check_lent_memory()
    print("finished")


if __name__ == "__main__":
    main()
