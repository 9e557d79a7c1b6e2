#!/bin/bash
# Compiles small kernels and compares what sassmodel says of them with counts of our own.
# Usage: selftest.sh [directory]. Exits with 77 where there is no CUDA 13.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=${1:-$here/../../build/tools/sassmodel}
nvcc=$("$here/../find_nvcc.sh")
mkdir -p "$out/selftest"
cd "$out/selftest"
# -B: nothing is built beside the sources.
cuobjdump=$(PYTHONPATH=$here/src python3 -B -c 'import cubin; print(cubin.find_tool("cuobjdump"))')

compile() {  # compile OUTPUT FLAGS...
  if [ "$1" -nt "$here/tests/kernels.cu" ] && [ "$1" -nt "$here/selftest.sh" ]; then return; fi
  "$nvcc" -std=c++17 -O3 "${@:2}" -o "$$.$1" "$here/tests/kernels.cu"
  mv "$$.$1" "$1"
}
compile sm_89.cubin -arch=sm_89 -cubin
compile sm_90.cubin -arch=sm_90 -cubin
# At its lowest level ptxas leaves the loads together; else it may use some before it has all.
compile ordered.cubin -arch=sm_90 -cubin -Xptxas=-O1
compile kernels.o -arch=sm_90 -c

passed=0 failed=0
check() {  # check WHAT COMMAND...
  if "${@:2}"; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "FAILED: $1"
  fi
}
is() {  # is VALUE WANTED
  [ "$1" = "$2" ] || { echo "  is '$1', not '$2'"; return 1; }
}
field() {  # field PYTHON_EXPRESSION OPTIONS...: of the only record r
  "$here/sassmodel" --build-dir "$out" --json "${@:2}" \
    | python3 -c "import json, sys; r = json.load(sys.stdin)[0]; print($1)"
}
hopper() {  # hopper KERNEL PYTHON_EXPRESSION OPTIONS...
  field "$2" sm_90.cubin --kernel "^$1$" "${@:3}"
}

# Our count: lines of cuobjdump from the target of the backward branch to the branch, for the loop
# of the kernel with the most of the given instruction.
count_by_hand() {  # count_by_hand KERNEL INSTRUCTION
  "$cuobjdump" -sass sm_90.cubin | awk -v kernel="$1" -v what="$2" '
    /Function : / { on = $3 == kernel; n = 0 }
    on && $1 ~ /^\/\*[0-9a-f]+\*\/$/ && $2 !~ /^\/\*/ {
      at[n] = substr($1, 3, length($1) - 4)
      sub(/^0+/, "", at[n])
      text[n++] = $0
      if (!match($0, /BRA[^;]*0x[0-9a-f]+/)) next
      target = substr($0, RSTART, RLENGTH)
      sub(/.*0x/, "", target)
      for (i = 0; i < n - 1; ++i) {
        if (at[i] != target) continue
        loads = 0
        for (k = i; k < n; ++k) loads += text[k] ~ what
        if (loads > most) { most = loads; count = n - i }
      }
    }
    END { print count, most }'
}
agrees() {  # agrees KERNEL INSTRUCTION LOADS
  local count most
  read -r count most < <(count_by_hand "$1" "$2")
  is "$most" "$3" || return 1
  is "$(hopper "$1" '(r["loops"][r["loop"] - 1]["instructions"], r["loads"])')" "($count, $most)"
}
check "loop of StreamSum" agrees StreamSum 'LDG.E.128' 8
check "loop of Copy" agrees Copy 'LDG.E.128' 4
check "loop of Fp64" agrees Fp64 'LDG.E.128' 4
check "loop of AsyncRing" agrees AsyncRing 'LDGSTS' 2

check "8 loads in flight" \
  is "$(field 'r["loads_in_flight"]' ordered.cubin --kernel StreamSum)" 8
check "4 loads in flight" is "$(hopper Copy 'r["loads_in_flight"]')" 4
check "ring of 4 stages, 2 loads each" is "$(hopper AsyncRing 'r["loads_in_flight"]')" 8
check "what is asked for ahead of a loop is no loop" is \
  "$(hopper AsyncRings '(len(r["loops"]), r["loads"])')" "(1, 1)"
check "stores" is "$(hopper Copy 'r["stores"]')" 4
check "FP64 per load" is "$(hopper Fp64 'r["per_load"]["FP64"]')" 26.0
check "launch bounds" is "$(hopper StreamSum 'r["threads"]')" 128
check "static shared memory" is "$(hopper AsyncRing 'r["shared"]')" 16384
check "shared memory limits warps" \
  is "$(hopper AsyncRing '(r["warps"], r["warps_limit"])')" "(52, 'shared')"

is_monotone() {  # is_monotone KERNEL: in warps, to 1 %, the noise of the start
  local last=0 warps now
  for warps in 4 8 16 32 64; do
    now=$(hopper "$1" 'r["cards"]["H100"]["capacity"]' --warps $warps --card H100)
    python3 -c "import sys; sys.exit($now < 0.99 * $last)" \
      || { echo "  $warps warps: $now < $last"; return 1; }
    last=$now
  done
}
for kernel in StreamSum Copy Fp64 AsyncRing; do
  check "$kernel: monotone in warps" is_monotone $kernel
done

limit='r["cards"]["H100"]["limit"]'
check "sum is DRAM bound" is "$(hopper StreamSum "$limit")" DRAM
check "copy is DRAM bound" is "$(hopper Copy "$limit")" DRAM
check "ring is DRAM bound" is "$(hopper AsyncRing "$limit")" DRAM
check "issue slots bind" is "$(hopper Mixed "$limit")" "issue slots"
check "few warps: latency" is "$(hopper StreamSum "$limit" --warps 2)" "latency (2 warps)"
check "FP64 binds where it is slow" \
  is "$(field 'r["cards"]["L4"]["limit"]' sm_89.cubin --kernel Fp64)" "pipe FP64"
check "two ways round a loop" is "$(hopper Masked 'len(r["loops"])')" 2
check "the shorter is chosen" is "$(hopper Masked \
  'r["loop"] == 1 and r["loops"][0]["instructions"] < r["loops"][1]["instructions"]')" True
check "--loop" is "$(hopper Masked 'r["loop"]' --loop 2)" 2
check "no loop is said" is "$(hopper NoLoop 'r["error"]')" "no loop with unguarded 16-byte loads"
check "object file as cubin" is "$(field 'r["cards"]["H100"]' kernels.o --kernel Copy)" \
  "$(hopper Copy 'r["cards"]["H100"]')"
echo "sassmodel: $passed passed, $failed failed"
[ "$failed" = 0 ]
