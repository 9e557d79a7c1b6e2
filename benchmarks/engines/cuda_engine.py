"""The CUDA kernels alone as an engine: timed with events, or run by the emulator.

Each sample is one call that finds a cold L2 cache without dirty lines. Its limit is a
read (forward) or a copy (backward) of as many bytes: a small one doesn't reach the rate
of a large one either. Times under the emulator would mean nothing: it has none.
"""

import ctypes

import numpy as np

from benchmarks import cases, limits
from benchmarks.engines import Engine
from benchmarks.measure import SelfTimed
from benchmarks.providers import Provider
from tests.support import card_grid, cuda_launchers

ROOM = 1 << 29  # bytes that are read, and copied, at most
_MOST_EMULATED = 1 << 18  # bytes of x and of what is read; more takes minutes
_PIECE = 16  # bytes, of which a read takes whole ones
_L2_BYTES, _FLUSHES = 38, 4  # cudaDevAttrL2CacheSize, and how often it is replaced
_DEVICE_TO_DEVICE = 3

PROVIDERS = tuple(
    Provider("+".join(names), engine="cuda", statistics=names, ours=True)
    for names in dict.fromkeys(call.statistics for call in card_grid.calls(True))
)


def create(device: str) -> "CudaEngine":
    """Creates the engine: on a GPU, else on the emulator."""
    cuda = cuda_launchers.load()
    if cuda.is_emulated and device == "gpu":
        raise RuntimeError("there is no GPU here")
    return CudaEngine(cuda)


class _Placed:
    """Inputs, and each provider's call on the device, which is freed with them."""

    def __init__(self, cuda, arrays):
        self._cuda, self.arrays, self._poolings = cuda, arrays, {}

    def pooling(self, provider, case):
        """The provider's call."""
        if provider.name not in self._poolings:
            options = {"data_format": case.layout, "epsilon": cases.EPSILON}
            options["statistics"] = provider.statistics
            arrays = self.arrays.x, self.arrays.mask
            pooling = cuda_launchers.Pooling(self._cuda, *arrays, **options)
            self._poolings[provider.name] = pooling
        return self._poolings[provider.name]

    def __del__(self):
        for pooling in self._poolings.values():
            pooling.__exit__()


class CudaEngine(Engine):
    """Launches the kernels."""

    def __init__(self, cuda):
        self._cuda = cuda
        self.has_clock = not cuda.is_emulated
        self._calls = {c for tiny in (True, False) for c in card_grid.calls(tiny)}
        self._start, self._stop = ctypes.c_void_p(), ctypes.c_void_p()
        for event in (self._start, self._stop):
            self._runtime("EventCreate", ctypes.byref(event))
        l2 = ctypes.c_int()
        self._runtime("DeviceGetAttribute", ctypes.byref(l2), _L2_BYTES, 0)
        # Longer to read than the launch takes to be enqueued; and no array that the
        # launch reads, or the end of that would be found in the cache.
        self._flushed = _FLUSHES * l2.value if self.has_clock else 0
        room = ROOM if self.has_clock else _MOST_EMULATED
        sizes = self._flushed, room, room
        self._flush, self.source, self.target = map(self._random, sizes)

    def handles(self, provider, cell):
        """Takes "kernel" cells; the emulator, small ones."""
        case = cell.case
        shape = case.batch, case.time, case.channels
        call = shape, case.dtype, case.layout, case.masked, provider.statistics
        fits = self.has_clock or case.input_bytes <= _MOST_EMULATED
        return fits and cell.dispatch == "kernel" and call in self._calls

    def place(self, arrays):
        """The arrays are sent with each provider's call."""
        return _Placed(self._cuda, arrays)

    def outputs(self, provider, mode, case, placed):
        """Runs once."""
        pooling = placed.pooling(provider, case)
        y = pooling.forward()
        if mode == cases.FORWARD:
            return [y]
        arrays = placed.arrays.for_statistics(len(provider.statistics))
        return [y, pooling.gradient(arrays.upstream)]

    def runner(self, provider, cell, placed):
        """Launches what `outputs` has prepared."""
        pooling = placed.pooling(provider, cell.case)
        forward, gradient = pooling.launch_forward, pooling.launch_gradient
        return self._timed(forward if cell.mode == cases.FORWARD else gradient)

    def limits(self, cell, arrays):
        """A read or a copy, with as cold a cache."""
        if cell.dispatch != "kernel" or not self.has_clock:
            return []
        moved = -(-cell.case.moved_bytes(cell.mode) // _PIECE) * _PIECE
        reads = cell.mode == cases.FORWARD
        name, launch = (limits.READ, self.read) if reads else (limits.COPY, self.copy)
        return [limits.Limit(name, self._timed(lambda: launch(moved)), moved)]

    def read(self, moved):
        """Enqueues a read of so many bytes; returns the error."""
        return self._read(self.source, moved)

    def copy(self, moved):
        """Enqueues a copy of half as many, which moves each twice."""
        size = ctypes.c_size_t(moved // 2)
        to, source = self.target.pointer, self.source.pointer
        copy = self._cuda.runtime.cudaMemcpyAsync
        return copy(to, source, size, _DEVICE_TO_DEVICE, None)

    def _timed(self, launch) -> SelfTimed:
        """Times single launches by events, each after a flush of the cache."""

        def run(calls):
            seconds = 0.0
            for _ in range(calls):
                self._cuda.check(self._read(self._flush, self._flushed))
                self._runtime("EventRecord", self._start, None)
                error = launch()
                self._runtime("EventRecord", self._stop, None)
                self._cuda.check(error)
                self._runtime("EventSynchronize", self._stop)
                elapsed = ctypes.c_float()
                both = self._start, self._stop
                self._runtime("EventElapsedTime", ctypes.byref(elapsed), *both)
                seconds += elapsed.value / 1e3
            return seconds

        return SelfTimed(run)

    def _random(self, size):
        data = np.random.default_rng(0).integers(0, 256, size, np.uint8)
        return cuda_launchers.DeviceArray(self._cuda, data).send()

    def _read(self, data, size):
        arguments = data.pointer, ctypes.c_int64(size), self.target.pointer
        return self._cuda.library.StatpoolReadAll(*arguments)

    def _runtime(self, name, *arguments):
        self._cuda.check(getattr(self._cuda.runtime, f"cuda{name}")(*arguments))
