"""Memory: the peak of a call, and a limit that makes running out of it harmless.

The peak is what a call takes beyond what was there before it: outputs and workspace.

On the CPU a thread asks the C library again and again, while the call runs, how many
bytes are handed out. That sees what the call takes whether or not the system has to
deliver pages for it; the resident size, which leaves out memory that an earlier call
left in the heap, does not. A peak much shorter than the call may be missed, so the
highest of several calls counts. On a GPU TensorFlow's allocator keeps the peak itself.
"""

import contextlib
import ctypes
import gc
import resource
import sys
import threading
import time

import psutil

_CALLS = 3
_LONG_CALL = 0.1  # Seconds; a peak in there isn't missed.


class _MallocInfo(ctypes.Structure):
    """Struct mallinfo2 of glibc."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            "arena",
            "ordblks",
            "smblks",
            "hblks",
            "hblkhd",
            "usmblks",
            "fsmblks",
            "uordblks",
            "fordblks",
            "keepcost",
        )
    ]


@contextlib.contextmanager
def no_more_than_there_is():
    """Lets allocations fail, where Linux would end the process for want of memory."""
    if sys.platform != "linux":
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_DATA)
    there_is = psutil.Process().memory_info().data + psutil.virtual_memory().available
    resource.setrlimit(resource.RLIMIT_DATA, (there_is, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def peak_extra_bytes(call, device: str) -> int | None:
    """Runs the call and returns its peak; None where the system doesn't tell."""
    gc.collect()
    if device == "gpu":
        return _gpu_peak(call)
    if not hasattr(ctypes.CDLL(None), "mallinfo2"):  # Not glibc, or one before 2.33.
        return None
    start = time.perf_counter()
    peak = _cpu_peak(call)
    if time.perf_counter() - start > _LONG_CALL:
        return peak
    return max(peak, *(_cpu_peak(call) for _ in range(_CALLS - 1)))


def _cpu_peak(call) -> int:
    before = highest = _bytes_handed_out()
    over = threading.Event()

    def watch():
        nonlocal highest
        while not over.is_set():
            highest = max(highest, _bytes_handed_out())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        call()
    finally:
        over.set()
        watcher.join()
    return highest - before


def _bytes_handed_out() -> int:
    """Bytes in blocks of the heap and in blocks with a mapping of their own."""
    ask = ctypes.CDLL(None).mallinfo2
    ask.restype = _MallocInfo
    info = ask()
    return info.uordblks + info.hblkhd


def _gpu_peak(call) -> int:
    import tensorflow as tf

    before = tf.config.experimental.get_memory_info("GPU:0")["current"]
    tf.config.experimental.reset_memory_stats("GPU:0")
    call()
    return tf.config.experimental.get_memory_info("GPU:0")["peak"] - before
