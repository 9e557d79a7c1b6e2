"""The CUDA kernels alone, without TensorFlow: checked, then timed with events.

    python -m benchmarks.cuda_kernels [--tiny] [--output FOLDER] [FILTER]

Every configuration is checked by the oracle of the tests first; only right ones are
timed, each sample with a cold L2 cache that holds no dirty lines, and compared with
what the same card reads and copies. Under the emulator of the tests the times mean
nothing: --tiny is for it.
"""

import argparse
import ctypes
import dataclasses
import itertools
import sys
from pathlib import Path

import numpy as np

from benchmarks import cases, correctness, environment, results

import cuda_launchers  # isort: skip, of the tests, on whose path correctness puts us

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
    """Times of work on the device."""

    def __init__(self, cuda, samples):
        self._cuda, self._samples = cuda, samples
        self._start, self._stop = ctypes.c_void_p(), ctypes.c_void_p()
        for event in (self._start, self._stop):
            self._call("EventCreate", ctypes.byref(event))
        l2 = ctypes.c_int()
        self._call("DeviceGetAttribute", ctypes.byref(l2), _L2_BYTES, 0)
        # Longer to read than what follows takes to be enqueued.
        self._flush = self._reader(_FLUSHES * l2.value if samples > 1 else 1 << 12)

    def measure(self, launch) -> list[float]:
        """Returns seconds: the quantiles 0.2, 0.5 and 0.8 of the samples."""
        self._cuda.check(launch() or 0)  # the first time loads code
        milliseconds = []
        for _ in range(self._samples):
            self._cuda.check(self._flush())
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

    def limits(self, size):
        """Yields what the device does with so many bytes: name, moved, seconds."""
        yield "nothing", 0, self.measure(lambda: None)
        yield "read", size, self.measure(self._reader(size))
        source, target = (
            cuda_launchers.DeviceArray(self._cuda, np.zeros(size, np.uint8)).send()
            for _ in range(2)
        )
        to, of, count = target.pointer, source.pointer, ctypes.c_size_t(size)
        arguments = to, of, count, _DEVICE_TO_DEVICE, None
        copy = self.measure(lambda: self._call("MemcpyAsync", *arguments))
        yield "copy", 2 * size, copy
        source.free()
        target.free()

    def _reader(self, size):
        """Returns a call that reads so many bytes of its own."""
        data = np.random.default_rng(0).integers(0, 256, size, np.uint8)
        data = cuda_launchers.DeviceArray(self._cuda, data).send()
        sink = cuda_launchers.DeviceArray(self._cuda, np.zeros(16, np.uint8))
        arguments = data.pointer, ctypes.c_int64(size), sink.pointer
        # The arrays live as long as the call does.
        return lambda _=(data, sink): self._cuda.library.StatpoolReadAll(*arguments)

    def _call(self, name, *arguments):
        self._cuda.check(getattr(self._cuda.runtime, f"cuda{name}")(*arguments))


class Session:
    """Checks and times configurations; each becomes two rows."""

    def __init__(self, cuda, stopwatch, writer):
        self._cuda, self._stopwatch, self._writer = cuda, stopwatch, writer
        self._checker = correctness.Checker()
        self._speeds = {}

    def measure_limits(self, size) -> None:
        """What the card can do at all."""
        for name, moved, (low, median, high) in self._stopwatch.limits(size):
            self._speeds[name] = moved / median
            row = results.Row(name, "machine", status="limit", bytes=moved)
            self._write(row, low, median, high)
            print(f"{name}: {median * 1e6:.1f} us, {moved / median / 1e9:.1f} GB/s")

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
            for mode, limit, launch in (
                (cases.FORWARD, "read", pooling.launch_forward),
                (cases.BACKWARD, "copy", pooling.launch_gradient),
            ):
                row = self._row(configuration, mode, verdict)
                if not right:
                    self._writer.add(row)
                    continue
                low, median, high = self._stopwatch.measure(launch)
                row.limit_seconds = row.bytes / self._speeds[limit]
                row.share_of_limit = row.limit_seconds / median
                self._write(row, low, median, high)
                print(
                    f"  {mode:8} {median * 1e6:9.1f} us [{low * 1e6:.1f}, "
                    f"{high * 1e6:.1f}] {row.gb_per_s:8.1f} GB/s, "
                    f"{row.share_of_limit:.1%} of a {limit}"
                )
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

    def _write(self, row, low, median, high) -> None:
        row.seconds_q20, row.seconds, row.seconds_q80 = low, median, high
        row.gb_per_s = row.bytes / median / 1e9
        self._writer.add(row)


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
    session = Session(
        cuda,
        Stopwatch(cuda, samples=1 if arguments.tiny else 50),
        results.Writer(arguments.output, described),
    )
    print(f"{name}, commit {described['commit']}")
    session.measure_limits(1 << (16 if arguments.tiny else 29))
    cells = [c for c in configurations(arguments.tiny) if arguments.filter in c.label]
    right = sum(map(session.run, cells))
    print(f"{right} configurations right, {len(cells) - right} wrong")
    return int(right < len(cells) or not cells)


if __name__ == "__main__":
    sys.exit(main())
