"""What the native libraries define and export, as `nm` reads them."""

import re
import subprocess

import statpool
from statpool import _native
from tests.support import native_build


def symbols(path, *options):
    listed = subprocess.run(
        ["nm", "-C", *options, path], capture_output=True, check=True, text=True
    )
    return [line.split(maxsplit=2)[-2:] for line in listed.stdout.splitlines()]


def test_instruction_sets_keep_their_code_to_themselves():
    """A weak symbol of an AVX-512 file could be linked into everybody's path.

    And the name of the set is in that of each function, for profilers and debuggers.
    """
    for name in (*statpool.build_info()["instruction_sets"][:-1], "baseline"):
        folder = native_build.DEFAULT / "cc/cpu/CMakeFiles" / f"statpool_cpu_{name}.dir"
        listed = symbols(folder / "kernels_isa.cc.o", "--defined-only")
        assert [symbol for kind, symbol in listed if kind in "VWu"] == [], name
        code = [symbol for kind, symbol in listed if kind in "tT"]
        own = f"statpool::cpu::{name}::"
        assert code
        assert [symbol for symbol in code if own not in symbol] == []


def exported_of_ours(library):
    exported = symbols(library, "--dynamic", "--defined-only")
    return [name for _, name in exported if re.search(r"\bstatpool::|cuda[A-Z]", name)]


def test_what_loads_the_kernels_exports_nothing():
    libraries = sorted(_native.FOLDER.glob("libstatpool*-tf*.so"))
    assert len(libraries) >= 2
    for library in libraries:
        assert exported_of_ours(library) == [], library


def test_the_kernels_export_what_headers_promise_and_no_more():
    """And nothing of the CUDA runtime that they hold: TensorFlow has its own."""
    header = re.compile(r"STATPOOL_API (?!__)[^;(]*?(\w+)\(")
    promised = {
        name
        for folder in ("cc/core", "cc/cpu", "cuda")
        for path in (native_build.ROOT / folder).glob("*.h")
        for name in header.findall(path.read_text())
    }
    exported = exported_of_ours(_native.FOLDER / "libstatpool_kernels.so")
    found = {re.match(r"statpool::\w+::(\w+)", name)[1] for name in exported}
    assert found <= promised
    assert {"GlobalStats", "GlobalStatsGradient", "MakePlan"} <= found
    if statpool.build_info()["cuda"]:  # whose functions are there only then
        assert found == promised
