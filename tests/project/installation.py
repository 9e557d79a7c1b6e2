"""Builds and installs statpool as its users do, each in a fresh environment.

`make test-installation`: hours on two cores, less where ccache is at hand. Interpreters
and compilers that this machine lacks are skipped.
"""

import functools
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import source_tree

pytestmark = pytest.mark.timeout(3600)

THIS_PYTHON = "{}.{}".format(*sys.version_info)
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


@functools.cache
def interpreter(version) -> str:
    """The Python of that version; skips the test where there is none."""
    name = f"python{version}"
    found = shutil.which(name)
    if (
        found is None
        or subprocess.run([found, "-c", ""], capture_output=True).returncode
    ):
        pytest.skip(f"needs {name}, which this machine lacks")
    return found


def environment_of_builds(**more) -> dict[str, str]:
    """No CUDA, and objects from ccache where it is at hand."""
    ccache = "-DCMAKE_CXX_COMPILER_LAUNCHER=ccache" if shutil.which("ccache") else ""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    return {**inherited, "STATPOOL_CUDA": "OFF", "CMAKE_ARGS": ccache, **more}


def run(command, cwd, fails, **more):
    """Runs a command to its end, which must be as expected; returns what it said."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=environment_of_builds(**more),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert (done.returncode != 0) == fails, done.stdout
    return done.stdout


class Environment:
    """A virtual environment of a version of Python."""

    def __init__(self, folder: Path, version=THIS_PYTHON):
        subprocess.run([interpreter(version), "-m", "venv", folder], check=True)
        self.python = folder / "bin" / "python"

    def pip(self, *arguments, **options):
        """Runs pip; returns what it said."""
        return self.run("-m", "pip", "--quiet", *arguments, **options)

    def run(self, *arguments, cwd="/", fails=False, **more):
        """Runs Python to its end, which must be as expected; returns what it said."""
        return run([self.python, *arguments], cwd, fails, **more)

    def freeze(self):
        """The versions of all that is installed, statpool aside."""
        lines = self.pip("freeze").splitlines()
        return {line for line in lines if not line.startswith("statpool")}

    def install(self, source):
        """The README's pip route, in the folder of the sources."""
        self.pip(*TOOLS.split())
        before = self.freeze()
        self.pip(*INSTALL.split(), cwd=source)
        return before


@pytest.fixture
def source(tmp_path):
    return source_tree.copy(tmp_path / "source")


# ------------------------------------------------------------------------- pip


@pytest.mark.parametrize(("tensorflow", "python"), VERSIONS)
def test_with_every_tensorflow(tensorflow, python, source, tmp_path):
    """The contract's core on the op, the XLA part or why not; nothing else is moved."""
    environment = Environment(tmp_path / "venv", python)
    environment.pip("install", f"tensorflow-cpu=={tensorflow}")
    before = environment.install(source)
    assert before - environment.freeze() == set()
    assert f"{tensorflow} 2.23606" in environment.run("-c", USE)
    said = environment.run("-m", "statpool", "doctor")
    if tensorflow < "2.20":
        why = f"headers of TensorFlow 2.20 or newer, got TensorFlow {tensorflow}"
        assert re.search(f"-- +XLA +.*{why}", said)
    else:
        assert re.search("ok +XLA +has the op's kernels for CPU", said)
    environment.pip("install", "pytest", "pytest-timeout", "hypothesis")
    environment.run(
        *("-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "native"),
        *(
            f"tests/contract/test_{part}.py"
            for part in ("values", "gradients", "errors")
        ),
        cwd=source,
    )


def test_from_an_sdist(source, tmp_path):
    environment = Environment(tmp_path / "venv")
    environment.pip("install", "tensorflow-cpu", "build")
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
    git = functools.partial(subprocess.run, cwd=source, check=True, capture_output=True)
    author = "-c", "user.name=a", "-c", "user.email=a@example.org"
    git(["git", "init"])
    git(["git", "add", "--all"])
    git(["git", *author, "commit", "--message", "all"])
    commit = git(["git", "rev-parse", "HEAD"], text=True).stdout.strip()
    address = f"git+file://{source}@{commit}#egg=statpool"  # by name, pip looks it up
    cache = {"PIP_CACHE_DIR": str(tmp_path / "cache")}
    one, other = (Environment(tmp_path / name) for name in ("one", "other"))
    for environment, version in ((one, NEWEST), (other, "2.20.0")):
        environment.pip("install", f"tensorflow-cpu=={version}")
        environment.pip(*TOOLS.split())
        environment.pip("install", "--no-build-isolation", address, **cache)
    (wheel,) = (tmp_path / "cache").glob("wheels/**/statpool-*.whl")
    assert f"tensorflow{NEWEST}" in wheel.name
    said = other.run("-c", USE, fails=True)
    assert f"one for TensorFlow {NEWEST}" in said
    (cure,) = re.findall("'pip (install .*--no-cache-dir.*?)'", said)
    other.pip(*cure.split(), address, **cache)
    assert "2.20.0 2.23606" in other.run("-c", USE)


def test_from_a_read_only_folder(source, tmp_path):
    """As another user has it, and a mount of a container."""
    mount = f"mount --bind {source} {source} && mount -o remount,ro,bind {source}"
    read_only = ["unshare", "--mount", "sh", "-c", f'{mount} && "$@"', "sh"]
    if subprocess.run([*read_only, "true"], capture_output=True).returncode:
        pytest.skip("needs to be root, to mount the sources read-only")
    environment = Environment(tmp_path / "venv")
    environment.pip("install", "tensorflow-cpu")
    environment.pip(*TOOLS.split())
    pip = [environment.python, "-m", "pip", "--quiet", *INSTALL.split()]
    done = subprocess.run(
        [*read_only, *pip],
        cwd=source,
        env=environment_of_builds(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (source / "build").exists()
    assert "2.23606" in environment.run("-c", USE)


@pytest.mark.parametrize(
    ("lacking", "sentence"),
    [
        (["setuptools==66.1.1"], "needs setuptools 77 or newer, got 66.1.1"),
        (
            ["setuptools", "cmake", "pybind11"],
            "needs ninja, got an environment without",
        ),
    ],
)
def test_lacking_tools_are_a_sentence(lacking, sentence, source, tmp_path):
    environment = Environment(tmp_path / "venv")
    environment.pip("install", "--upgrade", "wheel", *lacking)
    said = environment.pip(*INSTALL.split(), cwd=source, fails=True)
    assert f"statpool: the build {sentence}" in said
    assert "Traceback" not in said


# ------------------------------------------------------------------------ make


def make(source, *arguments, fails=False, **more):
    return run(["make", *arguments], source, fails, **more)


def test_make_builds_anew_what_changed(tmp_path):
    """In a folder with spaces; after another TensorFlow, compiler and Python."""
    source = source_tree.copy(tmp_path / "a folder (with spaces)")
    python = source / ".venv" / "bin" / "python"

    def use():
        command = [python, "-c", USE]
        return subprocess.run(
            command, capture_output=True, text=True, check=True
        ).stdout

    make(source, "build")
    assert f"{NEWEST} 2.23606" in use()
    assert "Building" not in make(source, "build")

    pip = [python, "-m", "pip", "--quiet", "install"]
    subprocess.run([*pip, "tensorflow-cpu==2.20.0"], check=True)
    assert "Building" in make(source, "build")
    assert "2.20.0 2.23606" in use()

    assert "Building" in make(source, "build", CXX=shutil.which("c++"))
    assert "Building" not in make(source, "build", CXX=shutil.which("c++"))

    make(source, "build", f"PYTHON={interpreter('3.12')}")
    assert f"{NEWEST} 2.23606" in use()
    folders = {folder.name for folder in (source / "build").glob("cmake-*")}
    assert folders == {"cmake-cpython-311", "cmake-cpython-312"}


def test_make_with_an_old_python_is_a_sentence(source):
    said = make(source, "build", f"PYTHON={interpreter('3.10')}", fails=True)
    assert "statpool needs Python 3.11 or newer, got 3.10" in said
    assert "Traceback" not in said
    assert not (source / ".venv").exists()


@pytest.mark.parametrize("compiler", ["clang++-14", "clang++-16"])
def test_with_clang(compiler, source, tmp_path):
    if shutil.which(compiler) is None:
        pytest.skip(f"needs {compiler}, which this machine lacks")
    environment = Environment(tmp_path / "venv")
    environment.pip("install", "tensorflow-cpu")
    environment.pip(*TOOLS.split())
    environment.pip(*INSTALL.split(), cwd=source, CXX=compiler)
    assert "2.23606" in environment.run("-c", USE)
    info = environment.run("-c", "import statpool; print(statpool.build_info())")
    assert f"Clang {compiler[-2:]}" in info


def test_the_wheel_that_make_repairs(source, tmp_path):
    """Has neither TensorFlow's libraries nor a path of this machine in it."""
    make(source, "wheel")
    (wheel,) = (source / "dist").glob("*.whl")
    assert "manylinux" in wheel.name
    assert f"tensorflow{NEWEST}" in wheel.name
    environment = Environment(tmp_path / "venv")
    environment.pip("install", "tensorflow-cpu", wheel)
    shutil.rmtree(source)
    assert "2.23606" in environment.run("-c", USE)
    said = environment.run("-m", "statpool", "doctor")
    assert re.search("ok +XLA +has the op's kernels for CPU", said)
    site = next((tmp_path / "venv" / "lib").glob("python*/site-packages"))
    libraries = {file.name for file in site.glob("statpool*/**/*.so*")}
    assert len(libraries) == 4, libraries
