"""The CUDA kernels alone, without TensorFlow: checked, then timed with events.

    python -m benchmarks.cuda_kernels [--tiny] [FILTER]

Every configuration is checked by the oracle of the tests first; only right ones are
timed, each sample with a cold L2 cache, and compared with what a plain copy reaches on
the same card. Under the emulator of the tests the times mean nothing: --tiny is for it.
"""

import ctypes
import itertools
import sys

import click
import numpy as np

from benchmarks import cases, correctness

import cuda_launchers  # isort: skip, of the tests, on whose path correctness puts us

# Rows of whole vectors; a long example, split over time; few and odd channels; long
# batches.
_SHAPES = (
    (64, 1500, 512),
    (16, 2580, 128),
    (1, 10**6, 8),
    (64, 1500, 5),
    (64, 1500, 40),
    (4096, 50, 64),
)
_TINY_SHAPES = ((2, 40, 128), (1, 1300, 20), (3, 41, 5))
_L2_BYTES = 38  # cudaDevAttrL2CacheSize
_DEVICE_TO_DEVICE = 3


class Stopwatch:
    """Times of work on the device."""

    def __init__(self, cuda, samples):
        self._cuda, self._samples = cuda, samples
        self._start, self._stop = ctypes.c_void_p(), ctypes.c_void_p()
        for event in (self._start, self._stop):
            self._call("EventCreate", ctypes.byref(event))
        l2 = ctypes.c_int()
        self._call("DeviceGetAttribute", ctypes.byref(l2), _L2_BYTES, 0)
        self._flush = np.empty(max(2 * l2.value, 1 << 20), np.uint8)
        self._flushed = cuda_launchers.DeviceArray(cuda, self._flush)

    def measure(self, launch):
        """Returns milliseconds: the quantiles 0.2, 0.5 and 0.8 of the samples."""
        launch()  # the first time loads code
        milliseconds = []
        size = ctypes.c_size_t(self._flush.nbytes)
        for sample in range(self._samples):
            # It takes longer than what follows takes to be enqueued.
            self._call("MemsetAsync", self._flushed.pointer, sample, size, None)
            self._call("EventRecord", self._start, None)
            launch()
            self._call("EventRecord", self._stop, None)
            self._call("EventSynchronize", self._stop)
            elapsed = ctypes.c_float()
            self._call(
                "EventElapsedTime", ctypes.byref(elapsed), self._start, self._stop
            )
            milliseconds.append(elapsed.value)
        return np.quantile(milliseconds, [0.2, 0.5, 0.8])

    def copy_speed(self, size):
        """GB/s of a copy inside the device, read and written."""
        source, target = (
            cuda_launchers.DeviceArray(self._cuda, np.empty(size, np.uint8))
            for _ in range(2)
        )
        to, of, count = target.pointer, source.pointer, ctypes.c_size_t(size)
        _, median, _ = self.measure(
            lambda: self._call("MemcpyAsync", to, of, count, _DEVICE_TO_DEVICE, None)
        )
        source.free()
        target.free()
        return 2 * size / median / 1e6

    def _call(self, name, *arguments):
        self._cuda.check(getattr(self._cuda.runtime, f"cuda{name}")(*arguments))


def configurations(shapes):
    """Every shape in every dtype and layout, without a mask and with one."""
    for shape, dtype, layout, masked in itertools.product(
        shapes, cases.DTYPES, ("channels_last", "channels_first"), (0.0, 0.25)
    ):
        yield cases.Case(*shape, dtype, layout, masked)


def run(cuda, case, stopwatch, copy_speed) -> bool:
    """Prints the verdict and the times; returns whether the results are right."""
    arrays = cases.make_inputs(case)
    options = {"data_format": case.layout, "epsilon": cases.EPSILON}
    checker = correctness.Checker()
    with cuda_launchers.Pooling(cuda, arrays.x, arrays.mask, **options) as pooling:
        outputs = [pooling.forward(), pooling.gradient(arrays.upstream)]
        verdict = checker.judge_slice(case, arrays, cases.EPSILON, outputs)
        if verdict.status != correctness.OK:
            click.echo(f"{case.label} WRONG: {verdict.reason or verdict.status}")
            return False
        click.echo(f"{case.label} right")
        for name, mode, launch in (
            ("forward", cases.FORWARD, pooling.launch_forward),
            ("gradient", cases.BACKWARD, pooling.launch_gradient),
        ):
            low, median, high = stopwatch.measure(launch)
            speed = case.moved_bytes(mode) / median / 1e6  # bytes and ms: GB/s
            click.echo(
                f"  {name:8} {median:9.4f} ms [{low:.4f}, {high:.4f}] "
                f"{speed:8.1f} GB/s {speed / copy_speed:6.1%} of a copy"
            )
    return True


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--tiny", is_flag=True, help="Small shapes, for the emulator.")
@click.argument("wanted", default="", metavar="[FILTER]")
def main(tiny, wanted):
    """Checks and times the kernels whose label contains FILTER."""
    cuda = cuda_launchers.load()
    if cuda.is_emulated and not tiny:
        click.echo("cuda_kernels: skipped, there is no GPU here")
        return
    stopwatch = Stopwatch(cuda, samples=1 if tiny else 50)
    copy_speed = stopwatch.copy_speed(1 << (16 if tiny else 29))
    click.echo(f"a copy: {copy_speed:.1f} GB/s, read and written")
    cells = [
        case
        for case in configurations(_TINY_SHAPES if tiny else _SHAPES)
        if wanted in case.label
    ]
    right = sum(run(cuda, case, stopwatch, copy_speed) for case in cells)
    click.echo(f"{right} configurations right, {len(cells) - right} wrong")
    sys.exit(right < len(cells) or not cells)


if __name__ == "__main__":
    main()
