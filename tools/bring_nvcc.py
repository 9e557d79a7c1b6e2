"""Installs nvcc from the package index if there is none and the driver serves its code.

`make build` runs this on machines with a GPU, so that users need no more than a driver.
Does nothing where there is an nvcc, or where the CUDA kernels aren't wanted.
"""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

from statpool import _availability

ROOT = Path(__file__).parent.parent
_MAJOR = 13  # of the CUDA that constraints.txt pins; a driver of 13.0 serves all of it


def main() -> int:
    """Returns 0: without nvcc the kernels for CPUs are built."""
    if os.environ.get("STATPOOL_CUDA") == "OFF" or find_nvcc():
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


def find_nvcc() -> str:
    """Returns the nvcc that the build takes, of whatever CUDA; nothing without one."""
    if "CUDACXX" in os.environ:  # the build takes that alone, even if it isn't there
        return os.environ["CUDACXX"]
    environment = {**os.environ, "PACKAGES": sysconfig.get_path("platlib")}
    find = [ROOT / "tools" / "find_nvcc.sh", "any"]
    found = subprocess.run(find, env=environment, capture_output=True, text=True)
    return found.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
