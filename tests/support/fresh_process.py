"""Runs functions and code where no other test has left its memory, or its imports."""

import importlib.util
import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor

import pytest


def call(function, *arguments):
    """What the module's function returns, called in a new process."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def call_with(name, value, function, *arguments):
    """The same in a process that has an environment variable."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(name, value)
        return call(function, *arguments)


def needs(module):
    """Skips the test where a module isn't installed."""
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} isn't installed")


def run(code, *arguments, **environment):
    """Runs Python code with `sys.argv[1:]`; returns the process, ended in any way."""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def succeed(code, *arguments, **environment):
    """The same, and the code must end well."""
    done = run(code, *arguments, **environment)
    assert done.returncode == 0, f"ended with {done.returncode}: {done.stderr}"
    return done
