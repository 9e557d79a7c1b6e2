"""What brings nvcc to a machine that has a GPU and no CUDA toolkit."""

import importlib.util
import types
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "bring_nvcc.py"


@pytest.fixture
def tool(monkeypatch, tmp_path):
    """The tool on a machine without nvcc, and the commands that it runs."""
    spec = importlib.util.spec_from_file_location("bring_nvcc", TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    tool.commands = []

    def run(command, **options):
        tool.commands.append(command)
        return types.SimpleNamespace(returncode=0)

    monkeypatch.setattr(tool.subprocess, "run", run)
    monkeypatch.setattr(tool, "USUAL", tmp_path / "no-toolkit")
    monkeypatch.setattr(tool._availability, "driver_cuda", lambda: (13, 0))
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("CUDACXX", "CUDA_HOME", "STATPOOL_CUDA"):
        monkeypatch.delenv(name, raising=False)
    return tool


@pytest.mark.parametrize("driver", [(13, 0), (13, 5), (14, 1)])
def test_a_driver_of_cuda_13_gets_the_pinned_nvcc(tool, monkeypatch, driver):
    monkeypatch.setattr(tool._availability, "driver_cuda", lambda: driver)
    assert tool.main() == 0
    [command] = tool.commands
    assert "install" in command
    assert command[-2:] == ["--group", "nvcc"]
    assert "constraints.txt" in command


def test_a_driver_of_cuda_12_gets_a_line_that_says_what_to_install(
    tool, monkeypatch, capsys
):
    monkeypatch.setattr(tool._availability, "driver_cuda", lambda: (12, 8))
    assert tool.main() == 0
    assert tool.commands == []
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    for words in ("driver serves CUDA 12.8", "toolkit 12.8", "580.65", "make build"):
        assert words in said


def test_without_a_driver_it_says_so(tool, monkeypatch, capsys):
    monkeypatch.setattr(tool._availability, "driver_cuda", lambda: None)
    assert tool.main() == 0
    assert "libcuda.so.1" in capsys.readouterr().out
    assert tool.commands == []


@pytest.mark.parametrize("where", ["CUDACXX", "CUDA_HOME", "PATH", "USUAL"])
def test_an_nvcc_at_hand_is_enough(tool, monkeypatch, tmp_path, where):
    nvcc = tmp_path / "toolkit" / "bin" / "nvcc"
    nvcc.parent.mkdir(parents=True)
    nvcc.touch(mode=0o755)
    if where == "USUAL":
        monkeypatch.setattr(tool, "USUAL", nvcc.parent)
    else:
        value = {"CUDACXX": nvcc, "CUDA_HOME": nvcc.parents[1], "PATH": nvcc.parent}
        monkeypatch.setenv(where, str(value[where]))
    assert tool.main() == 0
    assert tool.commands == []


def test_who_wants_no_kernels_gets_no_nvcc(tool, monkeypatch):
    monkeypatch.setenv("STATPOOL_CUDA", "OFF")
    assert tool.main() == 0
    assert tool.commands == []
