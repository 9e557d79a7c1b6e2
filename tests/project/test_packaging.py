"""What the package brings, and what it asks for; installation.py installs it."""

import ast
import importlib.metadata
import re
import subprocess
import sys
import tarfile
import tomllib

import pytest

import statpool
from statpool import _native
from tests.support import native_build, source_tree
from tests.support.fresh_process import run
from tools import wheel


def test_the_sdist_holds_every_source(tmp_path):
    source = source_tree.copy(tmp_path / "source")
    subprocess.run(
        [
            sys.executable,
            "-c",
            f"import setuptools.build_meta as b; b.build_sdist({str(tmp_path)!r})",
        ],
        cwd=source,
        check=True,
        capture_output=True,
    )
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        held = {name.partition("/")[2] for name in tar.getnames()}
    missing = set(source_tree.names()) - held - {".gitignore"}
    assert not missing


def test_no_dependency_moves_what_tensorflow_pins():
    """Not even by a bound that an older TensorFlow's own pin lies below."""
    text = (source_tree.ROOT / "pyproject.toml").read_text()
    dependencies = tomllib.loads(text)["project"]["dependencies"]
    assert set(dependencies) == {"ml_dtypes", "numpy", "wrapt"}


def test_the_wheel_is_for_every_minor_version_that_the_readme_names():
    text = (source_tree.ROOT / "pyproject.toml").read_text()
    older = tomllib.loads(text)["tool"]["statpool"]["older-tensorflows"]
    pins = (source_tree.ROOT / "constraints.txt").read_text().splitlines()
    (newest,) = (pin for pin in pins if pin.startswith("tensorflow-cpu=="))
    minors = [
        int(re.match(r"tensorflow-cpu==2\.(\d+)\.", t)[1]) for t in [*older, newest]
    ]
    assert minors == list(range(minors[0], minors[-1] + 1))
    readme = (source_tree.ROOT / "README.md").read_text()
    assert f"TensorFlow 2.{minors[0]} to 2.{minors[-1]}" in readme


def test_a_tensorflow_without_a_wheel_for_this_python_is_left_out(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(wheel, "BUILD", tmp_path)
    assert wheel.environment("tensorflow-cpu==2.15.1; python_version < '3'") is None


def test_licences_are_those_of_what_is_linked_in():
    (theirs,) = (f for f in importlib.metadata.files("pybind11") if f.name == "LICENSE")
    ours = source_tree.ROOT / "licenses" / "pybind11.txt"
    assert ours.read_text() == theirs.read_text()


def test_libraries_look_for_others_only_beside_them():
    libraries = sorted(_native.FOLDER.glob("*.so"))
    if not libraries:  # those of another build
        libraries = sorted(native_build.folder().glob("*.so"))
    assert len(libraries) == 5
    for library in libraries:
        dynamic = subprocess.run(
            ["readelf", "--dynamic", "--wide", library],
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        assert re.findall(r"R(?:UN)?PATH.*\[(.*)\]", dynamic) in ([], ["$ORIGIN"])


def test_a_copied_folder_knows_its_version():
    done = run(
        "import importlib.metadata as metadata\n"
        "def version(name): raise metadata.PackageNotFoundError(name)\n"
        "metadata.version = version\n"
        "import statpool; print(statpool.__version__)"
    )
    assert done.stdout.strip() == statpool.__version__, done.stderr


@pytest.mark.parametrize(
    ("hidden", "sentence"),
    [
        ("setuptools.__version__ = '66.1.1'", "needs setuptools 77 or newer, got 66"),
        ("sys.modules['ninja'] = None", "needs ninja, got an environment without it"),
    ],
)
def test_what_the_build_lacks_is_said_in_a_sentence(hidden, sentence, tmp_path):
    source = source_tree.copy(tmp_path / "source")
    done = run(
        "import os, runpy, setuptools, sys\n"
        f"{hidden}\n"
        "os.chdir(sys.argv[1])\n"
        "sys.argv = ['setup.py', 'build_ext']\n"
        "runpy.run_path('setup.py')\n",
        source,
    )
    said = done.stderr.strip().splitlines()[-1]
    assert said.startswith(f"statpool: the build {sentence}")
    assert said.endswith(
        "run 'pip install --upgrade cmake ninja pybind11 setuptools wheel'"
    )


def test_editors_and_type_checkers_see_every_public_name():
    """They read the sources: neither `__getattr__` nor a computed `__all__`."""
    package = source_tree.ROOT / "python" / "statpool"
    assert (package / "py.typed").exists()
    tree = ast.parse((package / "__init__.py").read_text())
    imported = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    public = set(statpool.__all__) | set(statpool._MODULES)
    assert public - imported == {"__version__"}
    assert set(statpool._HOMES) < set(statpool.__all__)
