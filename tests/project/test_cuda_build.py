"""Whether the CUDA kernels are built: AUTO, ON, OFF, and errors that name the cure."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import ninja
import pytest

from statpool import _availability

ROOT = Path(__file__).parents[2]
PROJECT = f"""
cmake_minimum_required(VERSION 3.24)
project(test LANGUAGES CXX)
list(APPEND CMAKE_MODULE_PATH {ROOT}/cmake)
include(StatpoolCuda)
set(result ${{STATPOOL_WITH_CUDA}}|${{STATPOOL_CUDA_VERSION}}|${{STATPOOL_CUDA_CODE}})
message(STATUS "result|${{result}}")
"""
USUAL = Path("/usr/local/cuda/bin/nvcc")

needs_nvcc = pytest.mark.skipif(
    not shutil.which("nvcc") and not USUAL.exists(), reason="there is no nvcc here"
)


@pytest.fixture
def configure(tmp_path):
    """Configures a project that only decides; returns status, and what it printed."""
    (tmp_path / "CMakeLists.txt").write_text(PROJECT)

    def configure(*arguments, **environment):
        command = [
            sys.executable, "-m", "cmake", "-S", tmp_path, "-B", tmp_path / "build",
            "-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={Path(ninja.BIN_DIR) / 'ninja'}",
        ]  # fmt: skip
        others = os.environ.keys() - {"CUDACXX", "CUDA_HOME", "CUDAARCHS"}
        inherited = {name: os.environ[name] for name in others}
        done = subprocess.run(
            [*command, *arguments],
            env={**inherited, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, " ".join(done.stdout.split())

    return configure


def hidden_nvcc():
    """Keeps CMake from finding nvcc where it is."""
    folders = {Path(found).parent for found in (shutil.which("nvcc"), USUAL) if found}
    folders |= {folder.resolve() for folder in folders}
    return f"-DCMAKE_IGNORE_PATH={';'.join(str(f) for f in folders)}"


def test_auto_without_nvcc_leaves_cuda_out(configure):
    status, text = configure(hidden_nvcc())
    assert status == 0, text
    assert "result|OFF||" in text
    assert "CUDA kernels: left out, no nvcc" in text


def test_on_without_nvcc_is_an_error_with_the_cure(configure):
    status, text = configure(hidden_nvcc(), "-DSTATPOOL_CUDA=ON")
    assert status != 0
    for words in ("STATPOOL_CUDA=ON needs nvcc", "CUDACXX", "STATPOOL_CUDA=OFF"):
        assert words in text


@pytest.mark.parametrize("choice", ["AUTO", "ON"])
def test_nvcc_that_does_not_work(configure, choice):
    status, text = configure(f"-DSTATPOOL_CUDA={choice}", CUDACXX=shutil.which("false"))
    assert "can't compile" in text
    assert (status == 0) == (choice == "AUTO")


def test_off_leaves_cuda_out(configure):
    status, text = configure("-DSTATPOOL_CUDA=OFF")
    assert status == 0
    assert "result|OFF||" in text


def test_other_choices_are_an_error(configure):
    status, text = configure("-DSTATPOOL_CUDA=maybe")
    assert status != 0
    assert "must be AUTO, ON or OFF, got 'maybe'" in text


def serves(codes, number):
    """Whether code for these architectures runs on that one; see _availability."""
    return _availability.serves(codes, divmod(number, 10))


@needs_nvcc
def test_auto_builds_for_every_card_from_turing_on(configure):
    status, text = configure()
    assert status == 0, text
    _, enabled, version, codes = text[text.index("result|") :].split(" ")[0].split("|")
    codes = codes.split(";")
    assert enabled == "ON"
    assert version
    assert {"sm_75", "sm_80", "sm_90", "compute_90"} <= set(codes)
    for number in (75, 80, 86, 87, 88, 89, 90, 100, 103, 110, 120, 121, 130):
        assert serves(codes, number), number


@needs_nvcc
@pytest.mark.parametrize(
    ("asked", "built"),
    [("90", "sm_90;compute_90"), ("80-real, 90-virtual", "sm_80;compute_90")],
)
def test_architectures_can_be_chosen(configure, asked, built):
    status, text = configure(f"-DSTATPOOL_CUDA_ARCHS={asked}")
    assert status == 0, text
    assert text.split("result|")[1].split(" ")[0].split("|")[2] == built


@needs_nvcc
def test_unknown_architecture_is_an_error(configure):
    status, text = configure("-DSTATPOOL_CUDA_ARCHS=hopper")
    assert status != 0
    assert "must list architectures" in text
    assert "got 'hopper'" in text
