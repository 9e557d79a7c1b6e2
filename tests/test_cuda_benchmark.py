"""The benchmark program of the CUDA kernels checks before it times.

The emulator runs it, so that its times mean nothing.
"""

import os
import subprocess

import cuda_launchers
import pytest
from cuda_launchers import BUILD
from native_build import UnavailableError

PROGRAM = BUILD / "statpool_bench_cuda_for_tests"


@pytest.fixture(scope="module")
def run():
    """Runs a copy of the program, or the program; returns its status and lines."""
    if not PROGRAM.exists():
        pytest.skip("this build has no CUDA kernels, for want of nvcc")
    try:
        emulator = cuda_launchers.build_emulator()
    except UnavailableError as error:
        pytest.skip(str(error))

    def run(*arguments, program=PROGRAM, runtime=emulator.parent):
        done = subprocess.run(
            [program, *arguments],
            env={**os.environ, "LD_LIBRARY_PATH": str(runtime), "PTXSIM_ARCH": "90"},
            capture_output=True,
            check=False,
            text=True,
        )
        assert not done.stderr, done.stderr
        return done.returncode, done.stdout.splitlines()

    return run


def test_every_tiny_configuration_is_right_and_timed(run):
    status, lines = run("--tiny")
    assert status == 0, lines
    right = [line for line in lines if line.endswith(" right")]
    assert len(right) == 3 * 4 * 2 * 2  # shapes, dtypes, layouts, masked or not
    assert lines[-1] == f"{len(right)} configurations right, 0 wrong"
    for name in ("forward", "gradient"):
        timed = [line for line in lines if line.startswith(f"  {name} ")]
        assert len(timed) == len(right)
        assert all("GB/s" in line and "of a copy" in line for line in timed)


def test_a_filter_keeps_what_contains_it(run):
    status, lines = run("--tiny", "3x41x5 float64 channels_first")
    assert status == 0, lines
    assert lines[-1] == "2 configurations right, 0 wrong"


@pytest.mark.parametrize(
    ("right", "wrong", "what"),
    [
        (b"add.rn.f64", b"sub.rn.f64", "sums"),
        (b"max.f32", b"min.f32", "maxima"),
        (b"add.rn.f32", b"sub.rn.f32", "short sums and gradients"),
    ],
)
def test_wrong_results_are_found_and_not_timed(run, tmp_path, right, wrong, what):
    """The kernels' PTX is in the clear in the program, and broken here."""
    code = PROGRAM.read_bytes()
    assert right in code, what
    broken = tmp_path / "broken"
    broken.write_bytes(code.replace(right, wrong))
    broken.chmod(0o755)
    status, lines = run("--tiny", "2x40x128 float32 channels_last", program=broken)
    assert status == 1
    assert lines[-1] == "0 configurations right, 2 wrong"
    assert not any(line.startswith("  ") for line in lines)
