#!/bin/bash
# Prints the nvcc that the build takes, where that is one of CUDA 13. Else says why on stderr and
# exits with 77, which stands for "can't be done here", as apart from "has failed".
set -euo pipefail

# In the order of cmake/StatpoolCuda.cmake.
nvcc=
for candidate in \
  "${CUDACXX:-}" "${CUDA_HOME:+$CUDA_HOME/bin/nvcc}" nvcc /usr/local/cuda/bin/nvcc \
  "$(dirname "$0")"/../.venv/lib/python3*/site-packages/nvidia/cu13/bin/nvcc; do
  if [ -n "$candidate" ] && nvcc=$(command -v "$candidate"); then break; fi
done
if [ -z "$nvcc" ]; then
  echo "there is no nvcc in CUDACXX, CUDA_HOME, PATH, /usr/local/cuda or .venv" >&2
  exit 77
fi
major=$("$nvcc" --version | sed -n 's/.*release \([0-9]*\)\..*/\1/p')
if [ "$major" != 13 ]; then
  echo "$nvcc is of CUDA $major, needed is 13" >&2
  exit 77
fi
echo "$nvcc"
