"""Fresh environments, and what is run in them as users would."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

THIS_PYTHON = "{}.{}".format(*sys.version_info)


def needs(program, *arguments):
    """Skips the test where there is no such program, or it doesn't start."""
    found = shutil.which(program)
    if not found or subprocess.run([found, *arguments], capture_output=True).returncode:
        pytest.skip(f"needs {program}, which this machine lacks")
    return found


def interpreter(version) -> str:
    """The Python of that version; skips the test where there is none."""
    return needs(f"python{version}", "-c", "")


def run(command, cwd="/", fails=False, **more):
    """Runs a command to its end, which must be as expected; returns what it said.

    Builds have no CUDA, and take objects from ccache where it is at hand.
    """
    ccache = "-DCMAKE_CXX_COMPILER_LAUNCHER=ccache" if shutil.which("ccache") else ""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**inherited, "STATPOOL_CUDA": "OFF", "CMAKE_ARGS": ccache, **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert (done.returncode != 0) == fails, done.stdout
    return done.stdout


class Environment:
    """A virtual environment of a version of Python, with the packages."""

    def __init__(self, folder: Path, *packages, version=THIS_PYTHON):
        run([interpreter(version), "-m", "venv", folder])
        self.python = folder / "bin" / "python"
        if packages:
            self.pip("install", "--upgrade", *packages)

    def pip(self, *arguments, **options):
        """Runs pip; returns what it said."""
        return self.run("-m", "pip", "--quiet", *arguments, **options)

    def run(self, *arguments, **options):
        """Runs Python to its end, which must be as expected; returns what it said."""
        return run([self.python, *arguments], **options)

    def freeze(self):
        """The versions of all that is installed, statpool aside."""
        lines = self.pip("freeze").splitlines()
        return {line for line in lines if not line.startswith("statpool")}
