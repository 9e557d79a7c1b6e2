#!/bin/bash
# Builds ptxsim and its test programs, and runs them for four PTX targets in three orders.
# Usage: selftest.sh [directory]. Exits with 77 where there is no CUDA 13.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=${1:-$here/../../build/tools/ptxsim}
nvcc=$("$here/../find_nvcc.sh")
"$here/build.sh" "$out"
programs=$out/selftest
mkdir -p "$programs"
architectures=(75 80 90 120)

compile() {  # compile SOURCE PROGRAM FLAGS...: with the PTX of every architecture
  local source=$here/tests/$1 program=$programs/$2 architecture gencode=()
  if [ "$program" -nt "$source" ] && [ "$program" -nt "$here/selftest.sh" ]; then return; fi
  for architecture in "${architectures[@]}"; do
    # cp.async is of 80 and later.
    if [ "$1" = async_copy.cu ] && [ "$architecture" = 75 ]; then continue; fi
    gencode+=(-gencode "arch=compute_$architecture,code=compute_$architecture")
  done
  "$nvcc" -std=c++17 "${gencode[@]}" --threads 2 -no-compress -lineinfo -cudart shared "${@:3}" \
    "$source" -o "$program.$$"
  mv "$program.$$" "$program"
}
compile features.cu features
compile faults.cu faults
compile cub.cu cub
compile async_copy.cu async_copy
compile launchers.cu liblaunchers.so -shared -Xcompiler -fPIC

passed=0 failed=0
expect() {  # expect NAME TEXT COMMAND...: the command prints the text
  local name=$1 wanted=$2 got
  got=$(timeout 100 "${@:3}" 2>&1) || true  # a fault ends a program with an error
  if grep -qF -- "$wanted" <<< "$got"; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    printf 'FAILED %s: no "%s" in:\n%s\n' "$name" "$wanted" "$got"
  fi
}

# What ptxsim must say of each program in faults.cu. Without a barrier a thread either meets a race
# or, if it comes first, bytes that nobody has written: "shared r..." of both.
faults=(
  "global_bounds: OUT OF BOUNDS global store"
  "alignment: MISALIGNED load"
  "no_barrier: shared r"
  "no_warp_barrier: shared r"
  "none: finished"
  "unwritten: never written"
  "next_variable: outside every shared variable"
  "ended_lanes: has ended"
  "deadlock: DEADLOCK"
  "write_after_read: shared race"
  "global_race: global race"
  "dynamic_bounds: OUT OF BOUNDS shared store"
  "use_after_free: (freed)"
  "memset_bounds: cudaMemset of 500 bytes"
  "launch_limit: launch: 9"
  "local_bounds: OUT OF BOUNDS local"
)

export LD_LIBRARY_PATH=$out
for order in fwd rev rand3; do
  expect "paths $order" "finished" env -u LD_LIBRARY_PATH "PTXSIM_ORDER=$order" \
    python3 "$here/tests/paths.py" "$out/libcudart.so.13" "$programs/liblaunchers.so"
done
for architecture in "${architectures[@]}"; do
  for order in fwd rev rand3; do
    setting="$architecture $order"
    run=(env "PTXSIM_ARCH=$architecture" "PTXSIM_ORDER=$order")
    expect "features $setting" "0 failed, last error no error" "${run[@]}" "$programs/features"
    expect "cub $setting" "scan: bad 0 of 20000, block reduce: bad 0 of 2" \
      "${run[@]}" "$programs/cub"
    for fault in "${faults[@]}"; do
      name=${fault%%: *} strict=0
      if [ "$name" = ended_lanes ]; then strict=1; fi
      expect "fault $name $setting" "${fault#*: }" \
        "${run[@]}" PTXSIM_RACE=2 "PTXSIM_STRICT=$strict" "$programs/faults" "$name"
    done
    if [ "$architecture" != 75 ]; then
      expect "async copy $setting" "finished" "${run[@]}" "$programs/async_copy"
      expect "missing wait $setting" "before the cp.async" \
        "${run[@]}" "$programs/async_copy" no_wait
    fi
    expect "python $setting" "finished" "${run[@]}" env -u LD_LIBRARY_PATH \
      python3 "$here/tests/python_example.py" "$out/libcudart.so.13" "$programs/liblaunchers.so"
  done
done
echo "ptxsim: $passed passed, $failed failed"
[ "$failed" = 0 ]
