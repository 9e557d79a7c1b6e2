"""What XLA's programs call on a GPU, without one: tests/native/xla/gpu_handlers.cc."""

import json
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.support.native_build import DEFAULT, ROOT

COMMANDS = DEFAULT / "compile_commands.json"


def test_gpu_handlers_pass_on_what_they_get(tmp_path):
    flags = _flags_of("handlers_gpu.cc")
    if flags is None:
        pytest.skip("this build has no CUDA, or no XLA part")
    program = tmp_path / "gpu_handlers"
    files = (
        "tests/native/xla/gpu_handlers.cc",
        "cc/xla/arguments.cc",
        "cc/core/rules.cc",
    )
    sources = [ROOT / file for file in files]
    _run(*flags, "-O0", "-UNDEBUG", *sources, "-o", program)
    _run(program)


def _flags_of(file):
    """The compiler and what it is told when it builds a file; None if it doesn't."""
    for command in json.loads(COMMANDS.read_text()):
        if Path(command["file"]).name == file:
            words = shlex.split(command["command"])
            return words[: words.index("-o")]
    return None


def _run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
