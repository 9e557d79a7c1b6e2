"""Proves and times the CUDA kernels with what a machine has: `make gpu`.

Needs nvcc, CMake and a Python with NumPy, ml_dtypes, pytest, hypothesis and pybind11;
no TensorFlow, no network, and installs nothing. On a GPU: builds for that one alone,
runs the contract suite and compute-sanitizer's four tools side by side, then the
benchmark, and beside the peers where JAX is at hand. Without one, the emulator runs a
part of each, all but compute-sanitizer, and times mean nothing. Every step runs,
whatever became of those before; a table says so last. `--build FOLDER` takes the
objects of a build that is there.
"""

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tools import gpu_ready
from tools.steps import Steps

ROOT = Path(__file__).parent.parent
BUILD = ROOT / "build" / "gpu"
PACKAGE = ROOT / "python" / "statpool"
OUTPUT = Path(os.environ.get("OUTPUT", ROOT / "output" / "gpu"))

MODULES = ("numpy", "ml_dtypes", "pytest", "hypothesis", "pybind11")
SANITIZERS = ("memcheck", "racecheck", "initcheck", "synccheck")


def main() -> int:
    """Returns 0 if every step passed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=Path, help="a build folder that is configured")
    folder = parser.parse_args().build
    if missing := [name for name in MODULES if importlib.util.find_spec(name) is None]:
        sys.exit(
            f"make gpu needs a Python with {', '.join(MODULES)}, got {sys.executable} "
            f"without {', '.join(missing)}; install them there, or name one that has "
            "them: make gpu PYTHON=/path/to/python."
        )
    card = gpu_ready.card()
    has_gpu = all(finding.works for finding in card)
    has_gpu &= os.environ.get("CUDA_VISIBLE_DEVICES") != "-1"
    nvcc = subprocess.run(
        [ROOT / "tools" / "find_nvcc.sh"], capture_output=True, text=True, check=False
    )
    if nvcc.returncode != 0:
        print(f"make gpu needs nvcc of CUDA 13: {nvcc.stderr.strip()}")
        return 1
    steps = Steps(OUTPUT, environment_for(Path(nvcc.stdout.strip()).resolve()))
    target = "statpool_cuda_launchers" + ("_shipped" if has_gpu else "")
    architectures = "native" if has_gpu else "90-virtual"
    # Libraries that `make build` has left stay as they are.
    is_bare = not any(PACKAGE.glob("*.so"))
    built = folder is not None or steps.run(
        "configure", "cmake", "-S", ROOT, "-B", BUILD,
        *(["-G", "Ninja"] if shutil.which("ninja", path=steps.path) else []),
        f"-DCMAKE_CUDA_COMPILER={nvcc.stdout.strip()}",
        f"-DPython_EXECUTABLE={sys.executable}", "-DSTATPOOL_TENSORFLOW=OFF",
        "-DSTATPOOL_CUDA=ON", f"-DSTATPOOL_CUDA_ARCHS={architectures}",
        *([f"-DCMAKE_LIBRARY_OUTPUT_DIRECTORY={PACKAGE}"] if is_bare else []),
    )  # fmt: skip
    folder = folder or BUILD
    built = built and steps.run(
        "build", "cmake", "--build", folder, "--target", target, "--parallel"
    )
    if built:
        check(steps, has_gpu)
        steps.run(
            "benchmark", sys.executable, "-m", "benchmarks.run", "--engines", "cuda",
            *([] if has_gpu else ["--cells", "tiny"]), "--output", OUTPUT,
            "--filter", os.environ.get("FILTER", ""),
        )  # fmt: skip
        compare(steps, has_gpu, folder if is_bare else None)
    return steps.finish(card[-1].detail if has_gpu else "no GPU: emulated")


def check(steps, has_gpu) -> None:
    """The contract suite and the sanitizer's tools, side by side."""
    pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--gpu"]
    # The whole suite has seen the emulator in `make test`.
    suite = "tests/contract" if has_gpu else "tests/contract/test_values.py"
    checks = [
        ("contract", *pytest, suite, "-k", "cuda" if has_gpu else "cuda and float32"),
        ("graphs", *pytest, "-rs", "tests/cuda/test_cuda_kernels.py", "-k", "graph"),
    ]
    watched = sys.executable, "-m", "tests.programs.cuda_sanitized"
    sanitizer = shutil.which("compute-sanitizer", path=steps.path)
    if has_gpu and sanitizer:
        checks += [
            (tool, sanitizer, "--tool", tool, "--error-exitcode", "1", *watched)
            for tool in SANITIZERS
        ]
    else:
        lacking = "compute-sanitizer" if has_gpu else "GPU"
        steps.add("sanitizer", "skipped", f"there is no {lacking} here")
    with ThreadPoolExecutor(len(checks)) as pool:
        list(pool.map(lambda step: steps.run(*step), checks))


def compare(steps, has_gpu, folder) -> None:
    """The kernels beside, and inside, programs of JAX; beside PyTorch's.

    Where there is a folder, what `statpool.jax` needs is built in it first.
    """
    if importlib.util.find_spec("jax") is None:
        steps.add("peers", "skipped", "there is no JAX here")
        return
    targets = "--target", "_core", "statpool_jax", "--parallel"
    if folder is None or steps.run("build peers", "cmake", "--build", folder, *targets):
        engines = "jax,torch" if importlib.util.find_spec("torch") else "jax"
        cells = ["--filter", "64x1500x512|step"] if has_gpu else ["--cells", "tiny"]
        steps.run(
            "peers", sys.executable, "-m", "benchmarks.run", "--engines", engines,
            *cells, "--output", OUTPUT / "peers",
        )  # fmt: skip


def environment_for(nvcc) -> dict[str, str]:
    """The programs' environment: statpool from the tree, and the toolkit's runtime."""
    toolkit = nvcc.parent.parent
    libraries = f"{toolkit}/lib64", f"{toolkit}/lib", os.environ.get("LD_LIBRARY_PATH")
    return {
        **os.environ,
        "PYTHONPATH": f"{ROOT / 'python'}",
        "PATH": f"{nvcc.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "LD_LIBRARY_PATH": ":".join(filter(None, libraries)),
        "PYTHONUNBUFFERED": "1",
    }


if __name__ == "__main__":
    sys.exit(main())
