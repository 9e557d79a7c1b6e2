#!/bin/bash
# Builds ptxsim and its test programs, and runs them with the PTX of several architectures in three
# orders of threads. Does nothing if they have passed and no file here has changed since.
# Usage: selftest.sh [directory]. Exits with 77 where there is no CUDA 13.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=${1:-$here/../../build/tools/ptxsim}
nvcc=$("$here/../find_nvcc.sh")
programs=$out/selftest
stamp=$programs/.passed
if [ -e "$stamp" ] && [ -z "$(find "$here"/*.sh "$here/src" "$here/tests" -newer "$stamp" -type f)" ]; then
  echo "ptxsim: nothing has changed since it passed"
  exit 0
fi
"$here/build.sh" "$out"
mkdir -p "$programs"
results=$(mktemp "$programs/results.XXXXXX")
trap 'rm -f "$results"' EXIT

asked=0
side_by_side() {  # side_by_side COMMAND...: in the background, once a processor is free
  while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do wait -n || true; done
  "$@" &
}

compile() {  # compile SOURCE PROGRAM ARCHITECTURES FLAGS...
  local source=$here/tests/$1 program=$programs/$2 architecture gencode=()
  if [ "$program" -nt "$source" ] && [ "$program" -nt "$here/tests/features.h" ] &&
    [ "$program" -nt "$here/selftest.sh" ]; then
    return
  fi
  for architecture in $3; do
    gencode+=(-gencode "arch=compute_$architecture,code=compute_$architecture")
  done
  "$nvcc" -std=c++17 "${gencode[@]}" -no-compress -lineinfo -cudart shared "${@:4}" \
    "$source" -o "$program.$$" && mv "$program.$$" "$program"
}

expect() {  # expect NAME TEXT COMMAND...: the command prints the text
  asked=$((asked + 1))
  side_by_side expect_now "$@"
}

expect_now() {
  local got
  got=$(timeout 100 "${@:3}" 2>&1) || true  # a fault ends a program with an error
  if grep -qF -- "$2" <<< "$got"; then
    echo passed >> "$results"
  else
    echo failed >> "$results"
    printf 'FAILED %s: no "%s" in:\n%s\n' "$1" "$2" "$got"
  fi
}

# 75 has neither cp.async nor arithmetic of bfloat16. From 120 on nvcc writes another PTX. What takes
# longest begins first.
side_by_side compile cub.cu cub 90
side_by_side compile numbers.cu numbers "75 90 120"
side_by_side compile threads.cu threads "75 90 120"
side_by_side compile memory.cu memory "90 120"
side_by_side compile faults.cu faults "90 120"
side_by_side compile async_copy.cu async_copy "90 120"
side_by_side compile launchers.cu liblaunchers.so 90 -shared -Xcompiler -fPIC
wait

# What ptxsim must say of each program in faults.cu. Without a barrier a thread meets a race, or bytes
# that nobody has written if it comes first: "shared r..." stands for both.
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

check() {  # check NAME TEXT PROGRAM ARGUMENTS...: expect, for $architecture, $order, $race, $strict
  expect "$1 $architecture $order" "$2" env "LD_LIBRARY_PATH=$out" \
    "PTXSIM_ARCH=$architecture" "PTXSIM_ORDER=$order" "PTXSIM_RACE=$race" "PTXSIM_STRICT=$strict" \
    "$programs/$3" "${@:4}"
}

for order in fwd rev rand3; do
  for program in paths python_example; do
    expect "$program $order" "finished" env "PTXSIM_ORDER=$order" \
      python3 "$here/tests/$program.py" "$out/libcudart.so.13" "$programs/liblaunchers.so"
  done
  race=1 strict=0 architecture=75
  check numbers "0 failed, last error no error" numbers
  check threads "0 failed, last error no error" threads
  architecture=90
  check cub "scan: bad 0 of 20000, block reduce: bad 0 of 2" cub
  for architecture in 90 120; do
    race=1
    for feature in numbers threads memory; do
      check "$feature" "0 failed, last error no error" "$feature"
    done
    race=2
    for fault in "${faults[@]}"; do
      strict=$([ "${fault%%: *}" != ended_lanes ]; echo $?)
      check "fault ${fault%%: *}" "${fault#*: }" faults "${fault%%: *}"
    done
    check "async copy" "finished" async_copy
    check "missing wait" "before the cp.async" async_copy no_wait
  done
done
wait
passed=$(grep -c passed "$results" || true)
echo "ptxsim: $passed of $asked passed"
[ "$passed" = "$asked" ]
touch "$stamp"
