"""The CUDA kernels alone, without TensorFlow: checked, then timed with events.

    python -m benchmarks.cuda_kernels [--tiny] [--output FOLDER] [FILTER]

Every configuration is checked by the oracle of the tests first; only right ones are
timed, each sample with a cold L2 cache that holds no dirty lines. They are compared
with a read (forward) or a copy (backward) that moves as many bytes: a small one doesn't
reach the rate of a large one either. Under the emulator of the tests times would mean
nothing, so that there are none: --tiny is for it.
"""

import argparse
import ctypes
import dataclasses
import functools
import itertools
import sys
from pathlib import Path

import numpy as np

from benchmarks import cases, correctness, environment, results
from tests.support import cuda_launchers

# Rows of whole vectors; long ones; few, odd and many channels; long batches.
_SHAPES = (
    cases.LARGE,
    cases.BEFORE_POOLING,
    (256, 16, 2048),
    (1, 100_000, 64),
    (64, 1500, 5),
    (512, 1000, 7),
    (4096, 50, 64),
)
_TINY_SHAPES = ((2, 40, 128), (1, 1300, 20), (3, 41, 5))
# What a call costs before it moves bytes.
_TIME_SWEEP = tuple((64, time, 512) for time in (8, 32, 128, 512))
_DEVIATION = ("mean", "std")
_SAMPLES = 50
_LARGE, _TINY = 1 << 29, 1 << 18  # bytes that are read and copied at most
_PIECE = 16  # bytes, of which a read takes whole ones
_LIMITS = {cases.FORWARD: "read", cases.BACKWARD: "copy"}
_L2_BYTES, _FLUSHES = 38, 4  # cudaDevAttrL2CacheSize, and how often it is replaced
_DEVICE_TO_DEVICE = 3


@dataclasses.dataclass(frozen=True)
class Configuration:
    """One case and what is computed of it."""

    case: cases.Case
    statistics: tuple[str, ...] = cases.STATISTICS

    @property
    def label(self) -> str:
        """What FILTER searches."""
        return f"{self.case.label} {'+'.join(self.statistics)}"


class Stopwatch:
    """Times of work on the device, and work to compare with."""

    def __init__(self, cuda, most):
        """Reads move at most so many bytes, copies twice as many."""
        self._cuda = cuda
        self._start, self._stop = ctypes.c_void_p(), ctypes.c_void_p()
        for event in (self._start, self._stop):
            self._call("EventCreate", ctypes.byref(event))
        l2 = ctypes.c_int()
        self._call("DeviceGetAttribute", ctypes.byref(l2), _L2_BYTES, 0)
        # Longer to read than what follows takes to be enqueued; of what nobody else
        # reads, or the last of it would be found in the cache.
        self._flushed = 0 if cuda.is_emulated else _FLUSHES * l2.value
        self._flush, self._source, self._target = (
            self._random(size) for size in (self._flushed, most, most)
        )

    def measure(self, launch) -> list[float]:
        """Returns seconds: the quantiles 0.2, 0.5 and 0.8; none under the emulator."""
        self._cuda.check(launch() or 0)  # the first time loads code
        if self._cuda.is_emulated:
            return []
        milliseconds = []
        for _ in range(_SAMPLES):
            self._cuda.check(self._read(self._flush, self._flushed))
            self._call("EventRecord", self._start, None)
            launch()
            self._call("EventRecord", self._stop, None)
            self._call("EventSynchronize", self._stop)
            elapsed = ctypes.c_float()
            self._call(
                "EventElapsedTime", ctypes.byref(elapsed), self._start, self._stop
            )
            milliseconds.append(elapsed.value)
        return [float(q) / 1e3 for q in np.quantile(milliseconds, [0.2, 0.5, 0.8])]

    def read(self, moved):
        """Enqueues a read of so many bytes; returns the error."""
        return self._read(self._source, moved)

    def copy(self, moved):
        """Enqueues a copy of half as many, which moves each twice."""
        size = ctypes.c_size_t(moved // 2)
        arguments = self._target.pointer, self._source.pointer, size
        self._call("MemcpyAsync", *arguments, _DEVICE_TO_DEVICE, None)

    def _random(self, size):
        data = np.random.default_rng(0).integers(0, 256, size, np.uint8)
        return cuda_launchers.DeviceArray(self._cuda, data).send()

    def _read(self, data, size):
        arguments = data.pointer, ctypes.c_int64(size), self._target.pointer
        return self._cuda.library.StatpoolReadAll(*arguments)

    def _call(self, name, *arguments):
        self._cuda.check(getattr(self._cuda.runtime, f"cuda{name}")(*arguments))


class Session:
    """Checks and times configurations; each becomes two rows."""

    def __init__(self, cuda, stopwatch, writer):
        self._cuda, self._stopwatch, self._writer = cuda, stopwatch, writer
        self._checker = correctness.Checker()
        self._limits = {}

    def measure_card(self, size) -> None:
        """What the card can do at all."""
        for name, moved, launch in (
            ("nothing", 0, lambda: None),
            ("read", size, lambda: self._stopwatch.read(size)),
            ("copy", 2 * size, lambda: self._stopwatch.copy(2 * size)),
        ):
            row = results.Row(name, "machine", status="limit", bytes=moved)
            self._write(row, self._stopwatch.measure(launch))
            print(f"{name} {_in_words(row)}")

    def _limit(self, row) -> tuple[str, float | None]:
        """A read or copy of as many bytes as the row's, tried once for each size."""
        name = _LIMITS[row.mode]
        moved = -(-row.bytes // _PIECE) * _PIECE
        title = f"{name} of {moved} bytes"
        if title not in self._limits:
            launch = functools.partial(getattr(self._stopwatch, name), moved)
            limit = dataclasses.replace(
                row, provider=name, engine="machine", ours=False, status="limit",
                reason="", error=None, bytes=moved,
            )  # fmt: skip
            self._write(limit, self._stopwatch.measure(launch))
            self._limits[title] = limit.seconds
        return title, self._limits[title]

    def run(self, configuration) -> bool:
        """Prints verdict and times; returns whether the results are right."""
        case, statistics = configuration.case, configuration.statistics
        arrays = cases.make_inputs(case, len(statistics))
        options = {
            "data_format": case.layout,
            "epsilon": cases.EPSILON,
            "statistics": statistics,
        }
        with cuda_launchers.Pooling(
            self._cuda, arrays.x, arrays.mask, **options
        ) as pooling:
            outputs = [pooling.forward(), pooling.gradient(arrays.upstream)]
            verdict = self._checker.judge_slice(
                case, arrays, cases.EPSILON, outputs, statistics
            )
            right = verdict.status == correctness.OK
            said = "right" if right else f"WRONG: {verdict.reason or verdict.status}"
            print(f"{configuration.label} {said}")
            for mode, launch in (
                (cases.FORWARD, pooling.launch_forward),
                (cases.BACKWARD, pooling.launch_gradient),
            ):
                row = self._row(configuration, mode, verdict)
                if not right:
                    self._writer.add(row)
                    continue
                row.limit, row.limit_seconds = self._limit(row)
                self._write(row, self._stopwatch.measure(launch))
                print(f"  {mode:8} {_in_words(row)}")
        return right

    def _row(self, configuration, mode, verdict):
        case, statistics = configuration.case, configuration.statistics
        return results.Row(
            "+".join(statistics),
            "cuda",
            ours=True,
            mode=mode,
            dispatch="kernel",
            **dataclasses.asdict(case) | {"cache": "cold"},
            status=verdict.status,
            reason=verdict.reason,
            error=verdict.error,
            bytes=case.moved_bytes(mode, len(statistics)),
        )

    def _write(self, row, quantiles) -> None:
        if quantiles:
            row.seconds_q20, row.seconds, row.seconds_q80 = quantiles
            row.gb_per_s = row.bytes / row.seconds / 1e9
        if row.limit_seconds:
            row.share_of_limit = row.limit_seconds / row.seconds
        self._writer.add(row)


def _in_words(row) -> str:
    """Bytes, and times where there are some."""
    if row.seconds is None:
        return f"{row.bytes} bytes"
    low, median, high = (
        s * 1e6 for s in (row.seconds_q20, row.seconds, row.seconds_q80)
    )
    words = f"{median:9.1f} us [{low:.1f}, {high:.1f}] {row.gb_per_s:8.1f} GB/s"
    share = row.share_of_limit
    return words if share is None else f"{words}, {share:.1%} of a {row.limit}"


def configurations(is_tiny: bool):
    """The grid: shapes, dtypes, layouts and masks, then short times and deviations."""
    layouts = "channels_last", "channels_first"
    shapes = _TINY_SHAPES if is_tiny else _SHAPES
    for shape, dtype, layout, masked in itertools.product(
        shapes, cases.DTYPES, layouts, (0.0, 0.25)
    ):
        yield Configuration(cases.Case(*shape, dtype, layout, masked))
    for shape, dtype, layout in itertools.product(shapes[:2], cases.DTYPES, layouts):
        yield Configuration(cases.Case(*shape, dtype, layout), _DEVIATION)
    if not is_tiny:
        for shape, dtype in itertools.product(_TIME_SWEEP, ("float32", "bfloat16")):
            yield Configuration(cases.Case(*shape, dtype))


def main(arguments=None) -> int:
    """Checks and times the kernels whose label contains FILTER."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--tiny", action="store_true", help="for the emulator")
    parser.add_argument("--output", type=Path, default=Path("output/cuda"))
    parser.add_argument("filter", nargs="?", default="", metavar="FILTER")
    arguments = parser.parse_args(arguments)
    cuda = cuda_launchers.load()
    if cuda.is_emulated and not arguments.tiny:
        print("cuda_kernels: skipped, there is no GPU here")
        return 0
    name = "ptxsim" if cuda.is_emulated else cuda_launchers.gpu_name()
    described = environment.describe_environment("gpu", name)
    size = _TINY if arguments.tiny else _LARGE
    stopwatch = Stopwatch(cuda, size)
    session = Session(cuda, stopwatch, results.Writer(arguments.output, described))
    print(f"{name}, commit {described['commit']}")
    session.measure_card(size)
    cells = [c for c in configurations(arguments.tiny) if arguments.filter in c.label]
    right = sum(map(session.run, cells))
    print(f"{right} configurations right, {len(cells) - right} wrong")
    return int(right < len(cells) or not cells)


if __name__ == "__main__":
    sys.exit(main())
