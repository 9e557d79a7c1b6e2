"""Workers on this machine, each a process that runs the command line once more."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from .errors import UserError

# How long the others may take to notice that one is gone; TensorFlow does within ten.
SECONDS_TO_NOTICE = 60


def run(count: int, folder: Path) -> None:
    """Runs all workers to their end.

    Args:
        count: How many.
        folder: For the output of all but the first, which has the terminal.

    Raises:
        UserError: One of them failed, or was killed.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"Cannot make {str(folder)!r}: {error.strerror}.") from error
    addresses = free_addresses(count)
    with contextlib.ExitStack() as stack:
        workers = [
            stack.enter_context(_worker(index, addresses, folder))
            for index in range(count)
        ]
        failed = _wait(workers)
        if failed is not None:
            code = workers[failed].returncode
            how = f"was killed by signal {-code}" if code < 0 else f"ended with {code}"
            raise UserError(
                f"Worker {failed} {how}; {folder}/worker-*.log tell more. The same "
                "command goes on where all workers had finished an epoch."
            )


@contextlib.contextmanager
def _worker(
    index: int, addresses: list[str], folder: Path
) -> Iterator[subprocess.Popen]:
    task = {"type": "worker", "index": index}
    config = json.dumps({"cluster": {"worker": addresses}, "task": task})
    with contextlib.ExitStack() as stack:
        out = None
        if index:
            path = folder / f"worker-{index}.log"
            out = stack.enter_context(path.open("w"))
        process = subprocess.Popen(
            [sys.executable, *sys.argv],
            env={**os.environ, "TF_CONFIG": config},
            stdout=out,
            stderr=subprocess.STDOUT if out else None,
        )
        stack.callback(process.wait)
        stack.callback(process.kill)  # which an ended process ignores
        yield process


def _wait(workers: list[subprocess.Popen]) -> int | None:
    """Returns the worker that failed first, once the others have had time to notice."""
    failed, deadline = None, float("inf")
    while any(worker.poll() is None for worker in workers):
        failed = _failed(workers) if failed is None else failed
        if failed is not None:
            deadline = min(deadline, time.monotonic() + SECONDS_TO_NOTICE)
        if time.monotonic() >= deadline:
            break
        time.sleep(0.1)
    return _failed(workers) if failed is None else failed


def _failed(workers: list[subprocess.Popen]) -> int | None:
    codes = [worker.poll() for worker in workers]
    return next((index for index, code in enumerate(codes) if code), None)


def free_addresses(count: int) -> list[str]:
    """Of ports that nothing listens at, until someone takes one."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for free in sockets:
            free.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{free.getsockname()[1]}" for free in sockets]
