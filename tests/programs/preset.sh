#!/usr/bin/env bash
# Builds a preset of CMakePresets.json, and runs pytest on it where there are arguments for pytest:
#   tests/programs/preset.sh address-sanitizer tests/contract -k core-
# Where the machine lacks what the preset needs, says so in one line and ends well.
set -euo pipefail
cd "$(dirname "$0")/../.."
preset=$1
shift
bin=.venv/bin

# The runtime of a sanitizer must be in the process before Python is.
runtime=
case $preset in
  clang) tools=(clang++) ;;
  address-sanitizer)
    tools=(clang++)
    if command -v clang++ > /dev/null; then
      runtime=$(clang++ -print-file-name="libclang_rt.asan-$(uname -m).so")
    fi
    ;;
  thread-sanitizer)
    tools=(g++)
    runtime=$(g++ -print-file-name=libtsan.so)
    ;;
  aarch64) tools=(aarch64-linux-gnu-g++ qemu-aarch64) ;;
esac
for tool in "${tools[@]}" $runtime; do
  if ! command -v "$tool" > /dev/null && [ ! -e "$tool" ]; then
    echo "$preset: skipped, needs $tool; make packages gets it"
    exit 0
  fi
done

log=build/$preset.log
mkdir -p build
{ "$bin/cmake" --preset "$preset" && "$bin/cmake" --build --preset "$preset"; } > "$log" 2>&1 ||
  { cat "$log"; exit 1; }
if grep -n 'warning:' "$log"; then exit 1; fi

if [ $# = 0 ]; then exit; fi
if [ -n "$runtime" ]; then
  # With it goes the library whose exceptions it intercepts. Python's own leaks aren't ours.
  export LD_PRELOAD="$runtime $(g++ -print-file-name=libstdc++.so.6)"
  export ASAN_OPTIONS=detect_leaks=0 TSAN_OPTIONS='halt_on_error=1 exitcode=66'
  export UBSAN_OPTIONS=print_stacktrace=1
  set -- --capture=sys "$@"  # the report of a process that it ends
fi
if [ "$preset" != aarch64 ]; then set -- --build "build/$preset" "$@"; fi
exec "$bin/python" -m pytest -q "$@"
