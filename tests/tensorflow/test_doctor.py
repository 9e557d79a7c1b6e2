"""`python -m statpool doctor`: where all is well, where something is broken; cures."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

import statpool

PACKAGE = Path(statpool.__file__).parent


@pytest.fixture
def installed(tmp_path):
    """A copy of the package without its checkout, as pip would install it."""
    package = tmp_path / "site-packages" / "statpool"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    return package


def doctor(package=PACKAGE):
    return subprocess.run(
        [sys.executable, "-m", "statpool", "doctor"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(package.parent)},
    )


def test_an_intact_build_succeeds():
    done = doctor()
    assert done.returncode == 0, done.stderr
    assert re.search(rf"ok +TensorFlow +{re.escape(tf.__version__)}", done.stdout)
    library = re.escape(Path(statpool.library_path()).name)
    assert re.search(rf"ok +TensorFlow op +{library} loads", done.stdout)
    assert re.search(r"ok +XLA +has the op's kernels for CPU", done.stdout)


@pytest.mark.parametrize(
    ("library", "intact"),
    [
        ("_core*.so", ["Python", "TensorFlow"]),
        ("libstatpool_kernels.so", ["Python", "TensorFlow"]),
        ("libstatpool-tf*.so", ["Python", "TensorFlow", "NumPy binding"]),
    ],
)
def test_a_library_that_is_cut_off_is_a_finding(installed, library, intact):
    [file] = installed.glob(library)
    os.truncate(file, file.stat().st_size // 3)
    done = doctor(installed)
    assert done.returncode == 1, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 6
    works = [line[4:].partition("  ")[0] for line in lines if line.startswith("ok")]
    assert works == intact
    assert "pip install" in lines[-1]
    assert "make" not in done.stdout  # there is no checkout to run it in


def test_cures_in_a_checkout_name_make(installed):
    (installed.parents[1] / "Makefile").touch()
    for library in installed.glob("*.so"):
        library.unlink()
    said = doctor(installed).stdout
    assert "run 'make build'" in said
    assert "pip install --no-build-isolation" not in said
