"""Memory: the peak of a call, and a limit that makes running out of it harmless.

The peak is what a call takes beyond what was there before it: outputs and workspace.
While the call runs, a thread asks the C library again and again how many bytes are
handed out. That sees what the call takes whether or not the system has to deliver pages
for it; the resident size, which leaves out memory that an earlier call left in the
heap, does not. Each question walks the free blocks, which takes 30 ms in a heap of
200,000 of them: measure in a process that has done little else. A peak between two
questions is missed, so the highest of several calls counts, unless one call was long
enough for many questions.
"""

import contextlib
import ctypes
import gc
import re
import resource
import sys
import threading
from pathlib import Path

_CALLS = 3
_MANY_QUESTIONS = 1000


class _MallocInfo(ctypes.Structure):
    """Struct mallinfo2 of glibc."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks"),
            *("uordblks", "fordblks", "keepcost"),
        )
    ]


@contextlib.contextmanager
def no_more_than_there_is():
    """Lets allocations fail, where Linux would end the process that exceeds memory."""
    if sys.platform != "linux":
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_DATA)
    there_is = _kernel_bytes("self/status", "VmData") + available_bytes()
    resource.setrlimit(resource.RLIMIT_DATA, (there_is, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def available_bytes() -> int:
    """What Linux can still give to programs."""
    return _kernel_bytes("meminfo", "MemAvailable")


def peak_extra_bytes(call) -> int | None:
    """Runs the call and returns its peak; None where the system doesn't tell."""
    gc.collect()
    if not hasattr(ctypes.CDLL(None), "mallinfo2"):  # not glibc, or one before 2.33
        return None
    highest = 0
    for _ in range(_CALLS):
        peak, questions = _peak(call)
        highest = max(highest, peak)
        if questions >= _MANY_QUESTIONS:
            break
    return highest


def _kernel_bytes(file, name) -> int:
    text = Path("/proc", file).read_text()
    return int(re.search(rf"^{name}:\s+(\d+) kB", text, re.M).group(1)) << 10


def _peak(call) -> tuple[int, int]:
    """The peak of one call, and how many questions were asked meanwhile."""
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
