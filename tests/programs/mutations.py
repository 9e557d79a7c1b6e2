"""Breaks the rules of the contract one by one; the tests have to notice.

Each mutation of `mutations.txt` is made in a temporary copy of the sources, where the
tests of the one implementation that it is in then run. (For the CUDA kernels the
faults of tests/cuda do the same.) Usage:

    python -m tests.programs.mutations [IMPLEMENTATION ...] [--rule RULE ...]
"""

import collections
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import click
import ninja

from tests.support import source_tree

Suite = collections.namedtuple("Suite", "module tests words")
# What an implementation is imported as, and its tests, by words of `pytest -k`.
CONTRACT = "tests/contract"
SUITES = {
    "reference": Suite("reference", CONTRACT, "reference"),
    "composite": Suite("composite", CONTRACT, "composite-eager and not streamed"),
    "streams": Suite("streaming", CONTRACT, "streamed-composite-eager"),
    "normalization": Suite(
        "_normalization", "tests/keras/test_input_normalization.py", "not native"
    ),
    "core": Suite("_core", CONTRACT, "core-"),
}
FAILED = re.compile(r"^FAILED tests/(.+?) - (.*)$", re.MULTILINE)


Mutation = collections.namedtuple("Mutation", "rule file old new")


def _table():
    """The mutations of each implementation: {implementation: [mutation]}."""
    table = collections.defaultdict(list)
    for line in Path(__file__).with_suffix(".txt").read_text().splitlines():
        if not line.startswith((" ", "#")):
            implementation, file = line.split()
        elif line.startswith("  "):
            rule, _, texts = line[2:].partition(" | ")
            old, _, new = texts.replace(r"\n", "\n").partition(" ==> ")
            table[implementation].append(Mutation(rule, file, old, new))
    return dict(table)


MUTATIONS = _table()
# In the copy that the core's mutations are made in there is one instruction set, as all
# share the sources, so that a mutation compiles in seconds.
QUICK_BUILD = MUTATIONS.pop("quick-build")


class Stop(click.ClickException):
    """The check itself doesn't work here, whatever the suite notices."""


class Copy:
    """A copy of the sources that holds no built library, and is imported from."""

    def __init__(self, folder):
        self.folder = source_tree.copy(Path(folder))

    def replace(self, mutation):
        """Makes a mutation; returns a function that takes it back."""
        file = self.folder / mutation.file
        text = file.read_text()
        _check_occurs_once(mutation, text)
        file.write_text(text.replace(mutation.old, mutation.new))
        return lambda: file.write_text(text)

    def build(self):
        """Nothing: Python is run as it is."""

    def suite(self, implementation):
        """Runs its tests; returns the first failing test, or nothing."""
        _, tests, words = SUITES[implementation]
        done = self._python(
            *("-m", "pytest", tests, "-x", "-q", "-p", "no:cacheprovider", "-k", words)
        )
        if done.returncode == 0:
            return ""
        failed = FAILED.search(done.stdout)
        # A mutation that doesn't run breaks no rule: only failed assertions count.
        if done.returncode != 1 or not failed or "ssert" not in failed[2]:
            raise Stop(f"the suite failed for another reason:\n{done.stdout[-3000:]}")
        return failed[1]

    def check_is_imported(self, module):
        """The copy wins against an installed package."""
        name = f"statpool.{module}"
        code = f"import importlib; print(importlib.import_module({name!r}).__file__)"
        done = self._python("-c", code)
        found = done.stdout.strip()
        if not found or not Path(found).is_relative_to(self.folder):
            raise Stop(f"{name} must come from the copy, got {found!r} {done.stderr}")

    def _python(self, *arguments):
        environment = {
            **os.environ,
            "PYTHONPATH": str(self.folder / "python"),
            # Stale bytecode is told by seconds and size; two mutations may share both.
            "PYTHONDONTWRITEBYTECODE": "1",
            "COLUMNS": "400",  # else pytest cuts off what failed
        }
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )


class NativeCopy(Copy):
    """One whose NumPy binding is built, in a build folder that all mutations share."""

    def __init__(self, folder):
        super().__init__(folder)
        for change in QUICK_BUILD:
            self.replace(change)
        self._cmake(
            "-S", self.folder, "-B", self.folder / "build", "-G", "Ninja",
            f"-DCMAKE_MAKE_PROGRAM={Path(ninja.BIN_DIR) / 'ninja'}",
            f"-DPython_EXECUTABLE={sys.executable}",
            "-DSTATPOOL_CUDA=OFF", "-DSTATPOOL_TENSORFLOW=OFF",
            "-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_CXX_FLAGS_DEBUG=-O1",
            f"-DCMAKE_LIBRARY_OUTPUT_DIRECTORY={self.folder / 'python' / 'statpool'}",
        )  # fmt: skip

    def build(self):
        self._cmake("--build", self.folder / "build", "--target", "_core", "-j", "2")

    def _cmake(self, *arguments):
        command = [sys.executable, "-m", "cmake", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Stop(f"the build failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")


def _check_occurs_once(mutation, text):
    found = text.count(mutation.old)
    if found != 1:
        raise Stop(
            f"the text of a mutation must occur once in {mutation.file}, found {found} "
            f"times: {mutation.old!r}; bring mutations.txt up to date"
        )


def check_table():
    """Raises Stop if a mutation of the table doesn't find its text."""
    for mutation in (*QUICK_BUILD, *(m for rows in MUTATIONS.values() for m in rows)):
        _check_occurs_once(mutation, (source_tree.ROOT / mutation.file).read_text())


def _first_failure(copy, implementation):
    copy.build()
    return copy.suite(implementation)


def _row(rule, implementation, caught_by):
    click.echo(f"{rule:42} {implementation:11} {caught_by}")


def _check(implementation, rules):
    """Tries the mutations of one implementation; returns those that survive."""
    survivors = []
    is_native = implementation == "core"
    with tempfile.TemporaryDirectory() as folder:
        copy = (NativeCopy if is_native else Copy)(folder)
        failure = _first_failure(copy, implementation)
        if failure:
            raise Stop(f"{implementation} fails unmutated: {failure}")
        copy.check_is_imported(SUITES[implementation].module)
        _row("(none)", implementation, "passes")
        for mutation in MUTATIONS[implementation]:
            if rules and mutation.rule not in rules:
                continue
            take_back = copy.replace(mutation)
            caught_by = _first_failure(copy, implementation)
            take_back()
            _row(mutation.rule, implementation, caught_by or "SURVIVED")
            if not caught_by:
                survivors.append(f"{mutation.rule} ({implementation})")
    return survivors


@click.command()
@click.argument("implementations", nargs=-1, type=click.Choice(list(MUTATIONS)))
@click.option("--rule", "rules", multiple=True, help="Only this rule; may be repeated.")
def main(implementations, rules):
    """Checks that the contract suite notices every broken rule."""
    check_table()
    _row("rule", "broken in", "caught by")
    survivors = [
        survivor
        for implementation in implementations or MUTATIONS
        for survivor in _check(implementation, rules)
    ]
    if survivors:
        raise Stop(f"not noticed by the contract suite: {', '.join(survivors)}")
    click.echo("Every broken rule was noticed.")


if __name__ == "__main__":
    main()
