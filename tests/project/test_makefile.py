"""What make does apart from building, in a copy where nothing was ever built."""

import re
import subprocess

import pytest

from tests.support import source_tree

TARGET = re.compile(r"^([a-z][a-z0-9-]*):", re.MULTILINE)


@pytest.fixture
def make(tmp_path):
    checkout = source_tree.copy(tmp_path / "checkout")

    def run(*arguments):
        return subprocess.run(
            ["make", *arguments],
            cwd=checkout,
            capture_output=True,
            check=True,
            text=True,
        ).stdout

    run.checkout = checkout
    return run


def test_help_has_a_line_for_every_target(make):
    listed = re.findall(r"^  ([a-z0-9-]+) +[A-Z].*\.$", make("help"), re.MULTILINE)
    assert listed == TARGET.findall((make.checkout / "Makefile").read_text())
    assert len(listed) > 20


@pytest.mark.parametrize("target", ["build", "test", "test-gpu-wheel", "gpu"])
def test_a_dry_run_changes_nothing(make, target):
    before = sorted(make.checkout.rglob("*"))
    assert make("--dry-run", target)
    assert sorted(make.checkout.rglob("*")) == before


def test_clean_keeps_what_nobody_can_build_again(make):
    results = make.checkout / "output" / "models.keras"
    library = make.checkout / "build" / "libstatpool.so"
    for file in (results, library):
        file.parent.mkdir()
        file.touch()
    make("clean")
    assert results.exists()
    assert not library.parent.exists()
