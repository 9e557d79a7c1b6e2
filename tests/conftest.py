"""What every test relies on: a quiet TensorFlow on the CPU, and reproducible runs."""

import os
from pathlib import Path

import hypothesis
import pytest

hypothesis.settings.register_profile(
    "reproducible", derandomize=True, deadline=None, database=None, print_blob=False
)
hypothesis.settings.load_profile("reproducible")


def pytest_addoption(parser):
    parser.addoption(
        "--gpu", action="store_true", help="let the tests see the GPUs of this machine"
    )
    parser.addoption(
        "--all-selections",
        action="store_true",
        help="export every selection of statistics, not a sample: minutes",
    )
    parser.addoption(
        "--build", type=Path, help="test the native code of this build folder"
    )


def pytest_configure(config):
    # Before anything imports TensorFlow, which reads these once.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # On processors with AVX-512 alone TensorFlow turns oneDNN on: it says so in each
    # process, and takes memory where the tests of memory don't see it.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    if not config.getoption("--gpu"):
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    if build := config.getoption("--build"):
        from tests.support import native_build

        native_build.use(build.resolve())


@pytest.fixture(scope="session")
def cuda():
    """The launchers on the GPU, or on the emulator."""
    from tests.support import cuda_launchers
    from tests.support.native_build import UnavailableError

    try:
        return cuda_launchers.load()
    except UnavailableError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def usages():
    """Each CUDA kernel's registers and memory: {architecture: {kernel: usage}}."""
    from tests.support import machine_code

    try:
        usages = machine_code.usages_of()
    except machine_code.MissingToolError as error:
        pytest.skip(str(error))
    if not usages:
        pytest.skip("this build has no CUDA kernels")
    return usages


@pytest.fixture(scope="session")
def emulated_cuda(cuda):
    """The launchers on the emulator, which counts what a GPU can't."""
    if not cuda.is_emulated:
        pytest.skip("the emulator counts, a GPU doesn't")
    return cuda
