#!/bin/bash
# Builds libcudart.so.13 (and the link libcudart.so) from src/, if it is out of date.
# Usage: build.sh [directory]. Exits with 77 where there is no CUDA 13.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=${1:-$here/../../build/tools/ptxsim}
lib=$out/libcudart.so.13
mkdir -p "$out"

# Of several processes that want it at once, one builds and the others find it built.
exec 9> "$out/.lock"
flock 9
if [ -e "$lib" ] && [ -z "$(find "$here/src" "$here/build.sh" -newer "$lib" -type f)" ]; then
  exit 0
fi

# The headers of the toolkit that nvcc belongs to, also where nvcc is a script that runs another.
nvcc=$("$here/../find_nvcc.sh")
toolkit=$("$nvcc" --dryrun -x cu -c /dev/null -o /dev/null 2>&1 | sed -n 's/^#\$ TOP=//p')
include=
for folder in "$toolkit/include" "$toolkit"/targets/*/include; do
  if [ -e "$folder/cuda_runtime_api.h" ]; then
    include=$folder
    break
  fi
done
if [ -z "$include" ]; then
  echo "ptxsim: no cuda_runtime_api.h beside $nvcc" >&2
  exit 77
fi

objects=$(mktemp -d "$out/objects.XXXXXX")
trap 'rm -rf "$objects"' EXIT
# -frounding-math: the rounding modes of PTX are set through the host's.
printf '%s\n' "$here"/src/*.cc | xargs -P "$(nproc)" -I{} sh -c '
  g++ -std=c++17 -O2 -g1 -fPIC -frounding-math -fno-strict-aliasing -Wall -Wno-unknown-pragmas \
    -isystem "$2" -c "$1" -o "$3/$(basename "$1" .cc).o"' _ {} "$include" "$objects"
g++ -shared -o "$objects/libcudart.so" "$objects"/*.o -Wl,-soname,libcudart.so.13 \
  -Wl,--version-script="$here/src/cudart.map"
mv "$objects/libcudart.so" "$lib"
ln -sf libcudart.so.13 "$out/libcudart.so"
