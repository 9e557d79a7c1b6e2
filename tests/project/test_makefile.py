"""What make does apart from building, in a copy where nothing was ever built."""

import os
import re
import subprocess
import sys

import pytest

from tests.support import source_tree

TARGET = re.compile(r"^([a-z][a-z0-9-]*):", re.MULTILINE)


@pytest.fixture
def make(tmp_path):
    checkout = source_tree.copy(tmp_path / "checkout")

    def run(*arguments):
        # Not those of a make that runs the tests.
        own = "MAKEFLAGS", "MAKELEVEL", "MFLAGS", "PYTHON", "GPU"
        return subprocess.run(
            ["make", *arguments],
            cwd=checkout,
            env={name: text for name, text in os.environ.items() if name not in own},
            capture_output=True,
            check=True,
            text=True,
        ).stdout

    run.checkout = checkout
    return run


def test_help_has_a_line_for_every_target(make):
    listed = re.findall(r"^  ([a-z0-9-]+) +[A-Z].*\.$", make("help"), re.MULTILINE)
    assert listed == TARGET.findall((make.checkout / "Makefile").read_text())
    assert len(listed) > 20


@pytest.mark.parametrize("target", ["build", "test", "test-gpu-wheel", "gpu"])
def test_a_dry_run_changes_nothing(make, target):
    before = sorted(make.checkout.rglob("*"))
    assert make("--dry-run", target)
    assert sorted(make.checkout.rglob("*")) == before


def test_clean_keeps_what_nobody_can_build_again(make):
    results = make.checkout / "output" / "models.keras"
    library = make.checkout / "build" / "libstatpool.so"
    for file in (results, library):
        file.parent.mkdir()
        file.touch()
    make("clean")
    assert results.exists()
    assert not library.parent.exists()


def test_make_gpu_takes_the_environment_where_there_is_one(make):
    def python_of(*arguments):
        path, python, *program = make("--dry-run", "gpu", *arguments).split()
        assert (path, program) == ("PYTHONPATH=python", ["-m", "tools.gpu"])
        return python

    assert python_of() == "python3"
    python = make.checkout / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    assert python_of() == ".venv/bin/python"
    assert python_of(f"PYTHON={sys.executable}") == sys.executable


def test_modules_that_make_gpu_misses_are_said_in_one_line_with_the_cure():
    without_packages = [sys.executable, "-S", "-E", "-m", "tools.gpu"]
    root = source_tree.ROOT
    done = subprocess.run(without_packages, cwd=root, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith("make gpu needs a Python with numpy, ml_dtypes, ")
    assert f"got {sys.executable} without numpy, ml_dtypes, " in line
    assert "make gpu PYTHON=" in line
