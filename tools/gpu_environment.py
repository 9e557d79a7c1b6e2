"""An environment over a Python that brings a TensorFlow for GPUs of its own.

    PYTHON -m tools.gpu_environment FOLDER

That Python's packages are seen there and stay as they are, in whatever versions; what
the build and the tests need beside them is added, pinned as ever. The stamp in the
folder is the Makefile's: `make build VENV=FOLDER` takes the environment as it is.
"""

import importlib.metadata
import importlib.util
import subprocess
import sys
import sysconfig
from pathlib import Path

from tools import gpu_wheels

GROUPS = ("build", "runtime", "examples", "benchmarks", "test")


def has_tensorflow_for_gpus() -> bool:
    """Whether this Python imports one that is built with CUDA."""
    if importlib.util.find_spec("tensorflow") is None:
        return False
    ask = "import sys, tensorflow as tf; sys.exit(not tf.test.is_built_with_cuda())"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, check=False)
    return done.returncode == 0


def stamp(folder: Path) -> Path:
    """The Makefile's mark of an environment that is complete."""
    tag = sys.implementation.cache_tag
    return folder / f".installed-tensorflow-gpu-{tag}"


def pins_of_what_lacks() -> str:
    """constraints.txt without what this Python has: nobody may replace that.

    What builds is pinned all the same: a venv brings a setuptools that is too old.
    """
    found = (one.name for one in importlib.metadata.distributions())
    there = {gpu_wheels.normal(name) for name in found if name}
    there -= set(gpu_wheels.requirements("build"))
    pins = (gpu_wheels.ROOT / "constraints.txt").read_text().splitlines()
    kept = [p for p in pins if gpu_wheels.normal(p.partition("==")[0]) not in there]
    return "\n".join(kept) + "\n"


def lay_over(folder: Path) -> None:
    """Makes the environment; does nothing where it is complete."""
    if stamp(folder).exists():
        return
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
    paths = {"base": folder, "platbase": folder}
    inner = Path(sysconfig.get_path("purelib", "venv", vars=paths))
    # A path file, since --system-site-packages would pass over a venv that this is.
    outer = [path for path in sys.path if path.endswith("-packages")]
    (inner / "outer.pth").write_text("\n".join(outer) + "\n")
    constraints = folder / "constraints.txt"
    constraints.write_text(pins_of_what_lacks())
    pip = [folder / "bin" / "python", "-m", "pip", "install", "--constraint"]
    wanted = gpu_wheels.requirements(*GROUPS)
    subprocess.run([*pip, constraints, *wanted], check=True)
    stamp(folder).touch()


if __name__ == "__main__":
    lay_over(Path(sys.argv[1]))
