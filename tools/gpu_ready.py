"""What TensorFlow needs before it runs on a card, each with what helps.

`card()` asks the driver, from any Python. As a program, run by the Python that has
TensorFlow, it goes on: is that one for GPUs, do the libraries of CUDA load, does it see
the card, compute and compile there? A line each, `ok` or `--` with the cure; exit
status 1 unless all are.
"""

import ctypes
import dataclasses
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

OLDEST_DRIVER = 525, 60  # which serves CUDA 12, as TensorFlow's wheel needs
_DRIVER = "NVIDIA's driver, 580.65 or newer (525.60 with an nvcc of CUDA 12)"

# What TensorFlow opens by name, by its CUDA, and the package that brings each. cuDNN's
# version is another.
_LIBRARIES = {
    "12": {
        "libcudart.so.12": "nvidia-cuda-runtime-cu12",
        "libnvrtc.so.12": "nvidia-cuda-nvrtc-cu12",
        "libcublas.so.12": "nvidia-cublas-cu12",
        "libcublasLt.so.12": "nvidia-cublas-cu12",
        "libcufft.so.11": "nvidia-cufft-cu12",
        "libcurand.so.10": "nvidia-curand-cu12",
        "libcusolver.so.11": "nvidia-cusolver-cu12",
        "libcusparse.so.12": "nvidia-cusparse-cu12",
        "libcupti.so.12": "nvidia-cuda-cupti-cu12",
        "libnvJitLink.so.12": "nvidia-nvjitlink-cu12",
        "libnccl.so.2": "nvidia-nccl-cu12",
    },
}


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    name: str
    works: bool
    detail: str

    def __str__(self):
        return f"{'ok' if self.works else '--'}  {self.name}: {self.detail}"


# ---------------------------------------------------------------- without TensorFlow


def card() -> list[Finding]:
    """Asks nvidia-smi for the driver and for the cards."""
    if shutil.which("nvidia-smi") is None:
        return [
            Finding(
                "driver",
                False,
                "nvidia-smi must be on PATH, got none; install " + _DRIVER,
            )
        ]
    fields = "--query-gpu=driver_version,name,memory.total"
    asked = _run("nvidia-smi", fields, "--format=csv,noheader")
    lines = asked.stdout.strip().splitlines()
    if asked.returncode != 0 or not lines:
        said = _first_line(asked.stdout + asked.stderr) or "no card"
        return [
            Finding(
                "driver",
                False,
                f"nvidia-smi must name a card, got '{said}'; install {_DRIVER}, and "
                "see that this machine, or container, is given a card",
            )
        ]
    version = lines[0].split(",")[0].strip()
    known = re.match(r"(\d+)\.(\d+)", version)
    new_enough = known and tuple(map(int, known.groups())) >= OLDEST_DRIVER
    cure = "" if new_enough else f", too old for TensorFlow; install {_DRIVER}"
    return [
        Finding("driver", bool(new_enough), version + cure),
        Finding("card", True, _first_line(_run("nvidia-smi", "-L").stdout)),
    ]


# ------------------------------------------------------------------- with TensorFlow


def missing(cuda: str, cudnn: str, tensorflow: Path) -> list[Finding]:
    """Returns a finding for each library that TensorFlow can't open, with the cure.

    Args:
        cuda: Version that TensorFlow was built for.
        cudnn: The same of cuDNN.
        tensorflow: Folder of the package, beside which pip puts the libraries.
    """
    major = cuda.partition(".")[0]
    needed = dict(_LIBRARIES.get(major, {}))
    needed[f"libcudnn.so.{cudnn.partition('.')[0]}"] = f"nvidia-cudnn-cu{major}"
    found = []
    for library, package in needed.items():
        reason = _why_not_loaded(library, tensorflow.parent / "nvidia")
        if reason:
            found.append(Finding(library, False, f"{reason}; {_install(package)}"))
    return found


def _why_not_loaded(library, packages) -> str:
    """Why a library doesn't load from beside TensorFlow, nor where loaders look."""
    reason = ""
    for path in [*sorted(packages.glob(f"*/lib/{library}")), library]:
        try:
            ctypes.CDLL(str(path))
            return ""
        except OSError as error:
            reason = reason or f"TensorFlow must load it, got '{error}'"
    return reason


def _install(package) -> str:
    """The command that brings a package in a version that TensorFlow asks for."""
    fitting = [one for one in asked() if re.match(rf"{package}\b(?!-)", one)]
    return f"run '{sys.executable} -m pip install \"{(fitting or [package])[0]}\"'"


def asked() -> list[str]:
    """What TensorFlow's own wheel asks for in its extra and-cuda."""
    names = importlib.metadata.packages_distributions().get("tensorflow", [])
    lines = [line for name in names for line in importlib.metadata.requires(name) or []]
    return [line.partition(";")[0].strip() for line in lines if "and-cuda" in line]


def examine() -> list[Finding]:
    """Looks at everything, until something lacks that the rest stands on."""
    try:
        import tensorflow as tf
    except ImportError as error:
        cure = "run 'make build TENSORFLOW=tensorflow-gpu'"
        return [Finding("TensorFlow", False, f"must import, got '{error}'; {cure}")]
    built = tf.sysconfig.get_build_info()
    if not built.get("is_cuda_build"):
        return [
            Finding(
                "TensorFlow",
                False,
                f"must be one for GPUs, got {tf.__version__} for CPUs; "
                "run 'make clean build TENSORFLOW=tensorflow-gpu'",
            )
        ]
    cuda, cudnn = built["cuda_version"], built["cudnn_version"]
    version = f"{tf.__version__} for CUDA {cuda} and cuDNN {cudnn}"
    lacking = missing(cuda, cudnn, Path(tf.__file__).parent)
    found = [Finding("TensorFlow", True, version), *lacking]
    if not tf.config.list_physical_devices("GPU"):
        cure = (
            "install the libraries named above"
            if lacking
            else "its log above, or CUDA_VISIBLE_DEVICES, says why"
        )
        detail = f"TensorFlow must see the card, got none; {cure}"
        return [*found, Finding("card", False, detail)]
    computed = [_computes(tf, "kernels", None), _computes(tf, "XLA", True)]
    if all(finding.works for finding in computed):
        # It has another of them, or does without: profilers alone ask for CUPTI.
        lacking = [Finding(f.name, True, "not found, not missed") for f in lacking]
    return [Finding("TensorFlow", True, version), *lacking, *computed]


def _computes(tf, name, jit_compile) -> Finding:
    """Whether TensorFlow computes on the card: by cuDNN, or with what XLA compiles."""
    # From nvcc's package XLA takes libdevice and ptxas.
    package = _install("nvidia-cuda-nvcc-cu12") if jit_compile else ""

    @tf.function(jit_compile=jit_compile)
    def compute(x):
        return tf.reduce_sum(tf.nn.conv1d(tf.exp(x), tf.ones([3, 8, 8]), 1, "SAME"))

    try:
        with tf.device("GPU:0"):
            result = compute(tf.zeros([2, 16, 8]))
    except (tf.errors.OpError, RuntimeError) as error:
        cure = (
            f"; {package}, and see the log above" if package else "; see the log above"
        )
        return Finding(name, False, f"must run, got '{_first_line(str(error))}'{cure}")
    # Ones under a window of three, two at the ends of 16 steps.
    works = "GPU" in result.device and abs(float(result) - 2 * 8 * 8 * 46) < 1
    return Finding(name, works, f"{float(result):g} from {result.device}")


def _first_line(text) -> str:
    return (text.strip().splitlines() or [""])[0]


def _run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False)


def main() -> int:
    """Returns 0 if TensorFlow runs on the card."""
    # TensorFlow itself names what it can't open, if it is asked to.
    os.environ.setdefault("TF_CPP_VMODULE", "dso_loader=1")
    findings = [*card(), *examine()]
    print(*findings, sep="\n")
    bad = [finding for finding in findings if not finding.works]
    worst = f"{len(bad)} not ready, first {bad[0].name}: {bad[0].detail}" if bad else ""
    print(worst or "TensorFlow runs on the card")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
