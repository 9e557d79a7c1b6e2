"""The examples of the documentation run, and the tests that it names exist."""

import ast
import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import statpool

ROOT = Path(__file__).parents[2]
CONTRACT = ROOT / "docs" / "contract.md"
API = ROOT / "docs" / "api.md"
NAMED_TEST = re.compile(r"(tests/[\w/]+\.py)::([\w:]+)")


PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]


def names_of_tests(file, nodes=None, prefix=""):
    """Names of the tests in a file, those of a class as `Class::test`."""
    for node in ast.parse(file.read_text()).body if nodes is None else nodes:
        if isinstance(node, ast.ClassDef):
            yield from names_of_tests(file, node.body, f"{node.name}::")
        elif isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield prefix + node.name


@pytest.mark.parametrize("page", [CONTRACT, API], ids=lambda page: page.name)
def test_examples(page):
    # A fence is no output of the example above it.
    text = re.sub(r"^```.*$", "", page.read_text(), flags=re.MULTILINE)
    names = {"np": np, "tf": tf, "statpool": statpool}
    examples = doctest.DocTestParser().get_doctest(text, names, page.name, page, 0)
    assert len(examples.examples) >= 8
    report = []
    doctest.DocTestRunner(verbose=False).run(examples, out=report.append)
    assert not report, "".join(report)


NAMED_TESTS = set(NAMED_TEST.findall("".join(page.read_text() for page in PAGES)))


@pytest.mark.parametrize(("file", "test"), sorted(NAMED_TESTS))
def test_named_tests_exist(file, test):
    assert test in names_of_tests(ROOT / file)


def test_each_section_of_the_contract_names_tests():
    sections = re.split(r"^## ", CONTRACT.read_text(), flags=re.MULTILINE)[1:]
    without = [s.splitlines()[0] for s in sections if not NAMED_TEST.search(s)]
    assert without == ["Notation"]


def test_the_guide_to_xla_builds_and_runs(tmp_path):
    guide = (ROOT / "docs" / "xla.md").read_text()
    _, example = guide.split("## A custom op inside XLA, in one file")
    blocks = dict(re.findall(r"^```(cpp|sh|python)\n(.*?)^```", example, re.M | re.S))
    (tmp_path / "scale.cc").write_text(blocks["cpp"])
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])

    environment = {**os.environ, "PATH": path}

    def run(*command):
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("bash", "-e", "-c", blocks["sh"])
    assert run(sys.executable, "-c", blocks["python"]) == "[3. 6.]\n"


LINK = re.compile(r"\]\(([^)#\s]+)\)")
FILE = re.compile(r"`((?:cc|cuda|python|tests|benchmarks|tools|examples)/[\w./-]+)`")
MEASURED = re.compile(r"\d[\d.,]* ?(?:[KMG]i?B|minutes?|seconds?|ms|us|µs|hours?)\b")
SOURCE = re.compile(
    r"\b\d{4}-\d{2}-\d{2}\b|\b(?=[a-f]*\d)[0-9a-f]{7,40}\b|\btests/[\w/]+\.py"
    r"|`(?:cc|cuda)/[\w/.]+`"
)
EVERY_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


@EVERY_PAGE
def test_what_a_page_names_exists(page):
    text = page.read_text()
    for link in LINK.findall(text):
        if ":" not in link:
            assert (page.parent / link).exists(), link
    for name in FILE.findall(text):
        assert (ROOT / name).exists(), name


@EVERY_PAGE
def test_sizes_and_times_have_a_source(page):
    """In their section: a date, a commit, a test, or the file that defines them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for section in re.split(r"^#+ ", text, flags=re.MULTILINE):
        measured = MEASURED.findall(section)
        assert not measured or SOURCE.search(section), (section[:40], measured)
