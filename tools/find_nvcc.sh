#!/bin/bash
# Prints the nvcc that the build takes, if it is one of CUDA 13. Otherwise it says why on stderr and
# exits with 77, which means "can't be done here", not "has failed".
# Usage: find_nvcc.sh [any]: with `any`, an nvcc of whatever CUDA.
set -euo pipefail

# The same order as in cmake/StatpoolCuda.cmake. PACKAGES is a Python's site-packages.
nvcc=
for candidate in \
  "${CUDACXX:-}" "${CUDA_HOME:+$CUDA_HOME/bin/nvcc}" nvcc /usr/local/cuda/bin/nvcc \
  "${PACKAGES:-}"/nvidia/cu13/bin/nvcc \
  "${0%/*}"/../.venv/lib/python3*/site-packages/nvidia/cu13/bin/nvcc; do
  if [ -n "$candidate" ] && nvcc=$(command -v "$candidate"); then break; fi
done
if [ -z "$nvcc" ]; then
  echo "there is no nvcc in CUDACXX, CUDA_HOME, PATH, /usr/local/cuda or .venv" >&2
  exit 77
fi
if [ "${1:-}" != any ]; then
  major=$("$nvcc" --version | sed -n 's/.*release \([0-9]*\)\..*/\1/p')
  if [ "$major" != 13 ]; then
    echo "$nvcc is of CUDA $major, needed is 13" >&2
    exit 77
  fi
fi
echo "$nvcc"
