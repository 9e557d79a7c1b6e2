"""Builds and installs statpool as its users do, each in a fresh environment.

`make test-installation`: hours on two cores, less where ccache is at hand. Interpreters
and compilers that this machine lacks are skipped.
"""

import re
import shutil
import subprocess

import pytest

from tests.support import source_tree
from tests.support.environments import Environment, interpreter, needs, run

pytestmark = pytest.mark.timeout(3600)

NEWEST = "2.21.0"
# Each on a Python that it has wheels for. The XLA part needs the headers of 2.20.
VERSIONS = [
    ("2.16.2", "3.11"),
    ("2.17.1", "3.11"),
    ("2.18.1", "3.12"),
    ("2.19.1", "3.12"),
    ("2.20.0", "3.13"),
    (NEWEST, "3.11"),
    (NEWEST, "3.12"),
    (NEWEST, "3.13"),
]
README = (source_tree.ROOT / "README.md").read_text()
# The pip route, word for word.
TOOLS, INSTALL = re.findall(r"`pip (install --(?:upgrade|no-build)[^`]*)`", README)
USE = (
    "import numpy as np, statpool, tensorflow as tf; "
    "y = statpool.global_stats(np.ones((2, 5, 3), 'float32'), implementation='native');"
    "print(tf.__version__, float(y[0, 8]))"
)


def install(environment, source, **options):
    """Takes the README's pip route, in the folder of the sources."""
    environment.pip(*TOOLS.split())
    before = environment.freeze()
    environment.pip(*INSTALL.split(), cwd=source, **options)
    return before


@pytest.fixture
def source(tmp_path):
    return source_tree.copy(tmp_path / "source")


# ------------------------------------------------------------------------- pip


@pytest.mark.parametrize(("tensorflow", "python"), VERSIONS)
def test_with_every_tensorflow(tensorflow, python, source, tmp_path):
    """The contract's core on the op, the XLA part or why not; nothing else is moved."""
    tf = f"tensorflow-cpu=={tensorflow}"
    environment = Environment(tmp_path / "venv", tf, version=python)
    before = install(environment, source)
    assert before - environment.freeze() == set()
    assert f"{tensorflow} 2.23606" in environment.run("-c", USE)
    said = environment.run("-m", "statpool", "doctor")
    if tensorflow < "2.20":
        why = (
            f"headers of TensorFlow 2.20 or newer, got none for TensorFlow {tensorflow}"
        )
        assert re.search(f"-- +XLA +.*{why}", said)
    else:
        assert re.search("ok +XLA +has the op's kernels for CPU", said)
    environment.pip("install", "pytest", "pytest-timeout", "hypothesis")
    pytest_native = "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "native"
    parts = (f"tests/contract/test_{p}.py" for p in ("values", "errors"))
    environment.run(*pytest_native, *parts, cwd=source)


def test_from_an_sdist(source, tmp_path):
    environment = Environment(tmp_path / "venv", "tensorflow-cpu", "build")
    environment.pip(*TOOLS.split())
    environment.run("-m", "build", "--sdist", "--no-isolation", "--quiet", cwd=source)
    (sdist,) = (source / "dist").glob("*.tar.gz")
    shutil.move(sdist, tmp_path)
    shutil.rmtree(source)
    route = INSTALL.replace(" .", f" {tmp_path / sdist.name}")
    environment.pip(*route.split())
    assert "2.23606" in environment.run("-c", USE)


def test_a_cached_wheel_for_another_tensorflow(source, tmp_path):
    """From a repository, pip keeps the wheel; the message's cure builds another."""
    author = "-c", "user.name=a", "-c", "user.email=a@example.org"
    for command in (
        ["init"],
        ["add", "--all"],
        [*author, "commit", "--message", "all"],
    ):
        run(["git", *command], source)
    commit = run(["git", "rev-parse", "HEAD"], source).strip()
    address = f"git+file://{source}@{commit}#egg=statpool"  # by name, pip looks it up
    cache = {"PIP_CACHE_DIR": str(tmp_path / "cache")}
    for name, version in (("one", NEWEST), ("other", "2.20.0")):
        other = Environment(tmp_path / name, f"tensorflow-cpu=={version}")
        other.pip(*TOOLS.split())
        other.pip("install", "--no-build-isolation", address, **cache)
    (wheel,) = (tmp_path / "cache").glob("wheels/**/statpool-*.whl")
    assert f"tensorflow{NEWEST}" in wheel.name
    said = other.run("-c", USE, fails=True)
    assert "got one for 2.21 under TensorFlow 2.20.0" in said
    (cure,) = re.findall("'pip (install .*--no-cache-dir.*?)'", said)
    other.pip(*cure.split(), address, **cache)
    assert "2.20.0 2.23606" in other.run("-c", USE)


def test_from_a_read_only_folder(source, tmp_path):
    """As another user has it, and a mount of a container."""
    mount = f"mount --bind {source} {source} && mount -o remount,ro,bind {source}"
    read_only = ["unshare", "--mount", "sh", "-c", f'{mount} && "$@"', "sh"]
    if subprocess.run([*read_only, "true"], capture_output=True).returncode:
        pytest.skip("needs to be root, to mount the sources read-only")
    environment = Environment(tmp_path / "venv", "tensorflow-cpu")
    environment.pip(*TOOLS.split())
    pip = environment.python, "-m", "pip", "--quiet", *INSTALL.split()
    run([*read_only, *pip], source)
    assert not (source / "build").exists()
    assert "2.23606" in environment.run("-c", USE)


# ------------------------------------------------------------------------ make


def make(source, *arguments, **options):
    return run(["make", *arguments], source, **options)


def test_make_builds_again_what_changed(tmp_path):
    """In a folder with spaces; after another TensorFlow, compiler and Python."""
    source = source_tree.copy(tmp_path / "a folder (with spaces)")
    python = source / ".venv" / "bin" / "python"
    use = python, "-c", USE
    make(source, "build")
    assert f"{NEWEST} 2.23606" in run(use)
    assert "Building" not in make(source, "build")

    run([python, "-m", "pip", "--quiet", "install", "tensorflow-cpu==2.20.0"])
    assert "Building" in make(source, "build")
    assert "2.20.0 2.23606" in run(use)

    assert "Building" in make(source, "build", CXX=shutil.which("c++"))
    assert "Building" not in make(source, "build", CXX=shutil.which("c++"))

    make(source, "build", f"PYTHON={interpreter('3.12')}")
    assert f"{NEWEST} 2.23606" in run(use)
    folders = {folder.name for folder in (source / "build").glob("cmake-*")}
    assert folders == {"cmake-cpython-311", "cmake-cpython-312"}


def test_make_with_an_old_python_is_a_sentence(source):
    said = make(source, "build", f"PYTHON={interpreter('3.10')}", fails=True)
    assert "statpool needs Python 3.11 or newer, got 3.10" in said
    assert "Traceback" not in said
    assert not (source / ".venv").exists()


@pytest.mark.parametrize("compiler", ["clang++-14", "clang++-16"])
def test_with_clang(compiler, source, tmp_path):
    needs(compiler, "--version")
    environment = Environment(tmp_path / "venv", "tensorflow-cpu")
    install(environment, source, CXX=compiler)
    assert "2.23606" in environment.run("-c", USE)
    info = environment.run("-c", "import statpool; print(statpool.build_info())")
    assert f"Clang {compiler[-2:]}" in info
