"""What the package brings, and what it asks for."""

import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent


def git(*arguments):
    listed = subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, check=True, text=True
    )
    return listed.stdout.split("\0")


def test_the_sdist_holds_every_source(tmp_path):
    """Made from a copy of what git knows, so that nothing here is touched."""
    names = [n for n in git("ls-files", "-z") if n and (ROOT / n).is_file()]
    source = tmp_path / "source"
    for name in names:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((ROOT / name).read_bytes())
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
    assert [name for name in names if name not in held | {".gitignore"}] == []


def test_no_dependency_moves_what_tensorflow_pins():
    """Not even by a bound that an older TensorFlow's own pin lies below."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(project["dependencies"]) == {"ml_dtypes", "numpy", "wrapt"}
