"""Installs nvcc from the package index where it lacks and the driver serves its code.

`make build` runs this on machines with a GPU, so that a driver is all that users need.
Does nothing where an nvcc is at hand, or the CUDA kernels aren't wanted.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "python"))

from statpool import _availability  # noqa: E402, knows the driver

USUAL = Path("/usr/local/cuda/bin")
_MAJOR = 13  # of the CUDA that constraints.txt pins; a driver of 13.0 serves all of it


def main() -> int:
    """Returns 0: without nvcc the kernels for CPUs are built."""
    if os.environ.get("STATPOOL_CUDA") == "OFF" or has_nvcc():
        return 0
    served = _availability.driver_cuda()
    if served is not None and served[0] >= _MAJOR:
        print("No nvcc here: bringing that of CUDA 13.0 from the package index ...")
        pip = sys.executable, "-m", "pip", "--disable-pip-version-check"
        install = "install", "--quiet", "--constraint", "constraints.txt"
        return subprocess.run([*pip, *install, "--group", "nvcc"], cwd=ROOT).returncode
    if served is None:
        print("No CUDA kernels: no driver answers, libcuda.so.1 must load.")
    else:
        version = ".".join(map(str, served))
        print(
            f"No CUDA kernels: there is no nvcc, and the driver serves CUDA {version}. "
            f"Install the CUDA toolkit {version}, or a driver from 580.65 on, "
            "then run 'make build' again."
        )
    return 0


def has_nvcc() -> bool:
    """Whether the build finds an nvcc: see cmake/StatpoolCuda.cmake."""
    if "CUDACXX" in os.environ:
        return True
    packaged = f"{sysconfig.get_path('platlib')}/nvidia/cu{_MAJOR}/bin"
    folders = [os.environ["PATH"], str(USUAL), packaged]
    if "CUDA_HOME" in os.environ:
        folders.append(os.environ["CUDA_HOME"] + "/bin")
    return shutil.which("nvcc", path=os.pathsep.join(folders)) is not None


if __name__ == "__main__":
    sys.exit(main())
