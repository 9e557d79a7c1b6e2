"""Whether the CUDA kernels are built: AUTO, ON, OFF, and errors that name the cure."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import ninja
import pytest

from statpool import _availability
from tests.support.native_build import ROOT

PROJECT = f"""
cmake_minimum_required(VERSION 3.24)
project(test LANGUAGES CXX)
list(APPEND CMAKE_MODULE_PATH {ROOT}/cmake)
include(StatpoolCuda)
set(result ${{STATPOOL_WITH_CUDA}}|${{STATPOOL_CUDA_VERSION}}|${{STATPOOL_CUDA_CODE}})
message(STATUS "result|${{result}}")
"""
USUAL = Path("/usr/local/cuda/bin/nvcc")
FOUND = [Path(nvcc) for nvcc in (shutil.which("nvcc"), USUAL) if nvcc]

needs_nvcc = pytest.mark.skipif(
    not any(nvcc.exists() for nvcc in FOUND), reason="there is no nvcc here"
)


@pytest.fixture
def configure(tmp_path):
    """Configures a project that only decides; returns what it printed."""
    (tmp_path / "CMakeLists.txt").write_text(PROJECT)

    def configure(*arguments, fails=False, **environment):
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
        assert (done.returncode != 0) == fails, done.stdout
        return " ".join(done.stdout.split())

    return configure


# Keeps CMake from finding nvcc where it is.
FOLDERS = {str(f) for nvcc in FOUND for f in (nvcc.parent, nvcc.parent.resolve())}
HIDDEN = f"-DCMAKE_IGNORE_PATH={';'.join(FOLDERS)}"
ON = "-DSTATPOOL_CUDA=ON"
BROKEN = {"CUDACXX": shutil.which("false")}


@pytest.mark.parametrize(
    ("arguments", "environment", "words"),
    [
        ([HIDDEN], {}, ["result|OFF||", "CUDA kernels: left out, no nvcc"]),
        (["-DSTATPOOL_CUDA=OFF"], {}, ["result|OFF||"]),
        ([], BROKEN, ["can't compile", "result|OFF||"]),
    ],
)
def test_cuda_is_left_out(configure, arguments, environment, words):
    said = configure(*arguments, **environment)
    assert all(word in said for word in words)


CURES = ["STATPOOL_CUDA=ON needs nvcc", "CUDACXX", "STATPOOL_CUDA=OFF"]
NO_CHOICE = ["must be AUTO, ON or OFF, got 'maybe'"]
NO_CODE = ["must list architectures", "got 'hopper'"]


@pytest.mark.parametrize(
    ("arguments", "environment", "words"),
    [
        ([HIDDEN, ON], {}, CURES),
        ([ON], BROKEN, ["can't compile"]),
        (["-DSTATPOOL_CUDA=maybe"], {}, NO_CHOICE),
        pytest.param(["-DSTATPOOL_CUDA_ARCHS=hopper"], {}, NO_CODE, marks=needs_nvcc),
    ],
)
def test_errors_name_the_cure(configure, arguments, environment, words):
    said = configure(*arguments, fails=True, **environment)
    assert all(word in said for word in words)


@needs_nvcc
def test_auto_builds_for_every_card_from_turing_on(configure):
    said = configure()
    _, enabled, version, codes = said[said.index("result|") :].split(" ")[0].split("|")
    codes = codes.split(";")
    assert enabled == "ON"
    assert version
    assert {"sm_75", "sm_80", "sm_90", "compute_90"} <= set(codes)
    for number in (75, 80, 86, 87, 88, 89, 90, 100, 103, 110, 120, 121, 130):
        assert _availability.serves(codes, divmod(number, 10)), number


@needs_nvcc
@pytest.mark.parametrize(
    ("asked", "built"),
    [("90", "sm_90;compute_90"), ("80-real, 90-virtual", "sm_80;compute_90")],
)
def test_architectures_can_be_chosen(configure, asked, built):
    said = configure(f"-DSTATPOOL_CUDA_ARCHS={asked}")
    assert said.split("result|")[1].split(" ")[0].split("|")[2] == built
