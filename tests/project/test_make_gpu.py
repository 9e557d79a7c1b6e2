"""`make gpu`: the Python that it takes, and what it says where modules are missing."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = ("-m", "tools.gpu")


@pytest.fixture
def dry_run(tmp_path):
    """What `make gpu` would run in a folder that is empty but for the Makefile."""
    if shutil.which("make") is None:
        pytest.skip("there is no make here")
    shutil.copy(ROOT / "Makefile", tmp_path)

    def dry_run(*arguments):
        # Not those of a make that runs the tests.
        own = "MAKEFLAGS", "MAKELEVEL", "MFLAGS", "PYTHON", "GPU"
        done = subprocess.run(
            ["make", "--dry-run", "gpu", *arguments],
            cwd=tmp_path,
            env={name: text for name, text in os.environ.items() if name not in own},
            capture_output=True,
            check=True,
            text=True,
        )
        return done.stdout.split()

    return dry_run


def test_the_python_of_the_environment_where_there_is_one(dry_run, tmp_path):
    assert dry_run() == ["PYTHONPATH=python", "python3", *PROGRAM]
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    assert dry_run() == ["PYTHONPATH=python", ".venv/bin/python", *PROGRAM]
    assert dry_run(f"PYTHON={sys.executable}")[1:] == [sys.executable, *PROGRAM]


def test_missing_modules_are_said_in_one_line_with_the_cure():
    without_packages = [sys.executable, "-S", "-E", *PROGRAM]
    done = subprocess.run(
        without_packages, cwd=ROOT, capture_output=True, check=False, text=True
    )
    assert done.returncode == 1
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith("make gpu needs a Python with numpy, ml_dtypes, ")
    assert f"got {sys.executable} without numpy, ml_dtypes, " in line
    assert "make gpu PYTHON=" in line
