"""Memory: the peak of a call, and a limit that makes running out of it harmless.

The peak is what a call takes beyond what was there before it: outputs and workspace.

On the CPU a thread asks the C library again and again, while the call runs, how many
bytes are handed out. That sees what the call takes whether or not the system has to
deliver pages for it; the resident size, which leaves out memory that an earlier call
left in the heap, does not. Each question walks the free blocks, which takes 30 ms in a
heap of 200,000 of them: measure in a process that has done little else. A peak between
two questions is missed, so the highest of several calls counts, unless one call was
long enough for many questions. On a GPU TensorFlow's allocator keeps the peak itself.
"""

import contextlib
import ctypes
import gc
import resource
import sys
import threading

import psutil

_CALLS = 3
_MANY_QUESTIONS = 1000


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
    highest = 0
    for _ in range(_CALLS):
        peak, questions = _cpu_peak(call)
        highest = max(highest, peak)
        if questions >= _MANY_QUESTIONS:
            break
    return highest


def _cpu_peak(call) -> tuple[int, int]:
    """The peak of one call, and how often it was asked for meanwhile."""
    before = highest = _bytes_handed_out()
    questions = 0
    over = threading.Event()

    def watch():
        nonlocal highest, questions
        while not over.is_set():
            highest = max(highest, _bytes_handed_out())
            questions += 1

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        call()
    finally:
        over.set()
        watcher.join()
    return highest - before, questions


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
