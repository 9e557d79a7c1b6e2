"""What brings nvcc to a machine that has a GPU and no CUDA toolkit."""

import types

import pytest

from tools import bring_nvcc


@pytest.fixture
def commands(monkeypatch):
    """What is run on a machine without nvcc, whose driver serves CUDA 13."""
    commands = []

    def run(command, **options):
        commands.append(command)
        return types.SimpleNamespace(returncode=0)

    monkeypatch.setattr(bring_nvcc, "subprocess", types.SimpleNamespace(run=run))
    monkeypatch.setattr(bring_nvcc, "find_nvcc", lambda: "")
    serves(monkeypatch, (13, 0))
    monkeypatch.delenv("STATPOOL_CUDA", raising=False)
    return commands


def serves(monkeypatch, version):
    monkeypatch.setattr(bring_nvcc._availability, "driver_cuda", lambda: version)


@pytest.mark.parametrize("driver", [(13, 0), (13, 5), (14, 1)])
def test_a_driver_of_cuda_13_gets_the_pinned_nvcc(commands, monkeypatch, driver):
    serves(monkeypatch, driver)
    assert bring_nvcc.main() == 0
    [command] = commands
    assert "install" in command
    assert command[-2:] == ["--group", "nvcc"]
    assert "constraints.txt" in command


WITHOUT = [
    ((12, 8), ["driver serves CUDA 12.8", "toolkit 12.8", "580.65", "make build"]),
    (None, ["libcuda.so.1"]),
]


@pytest.mark.parametrize(("driver", "words"), WITHOUT)
def test_another_driver_gets_a_line_that_says_why(
    commands, monkeypatch, capsys, driver, words
):
    serves(monkeypatch, driver)
    assert bring_nvcc.main() == 0
    assert commands == []
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    assert all(word in said for word in words)


@pytest.mark.parametrize("name", ["CUDACXX", "CUDA_HOME", "PATH"])
def test_an_nvcc_at_hand_is_enough(monkeypatch, tmp_path, name):
    nvcc = tmp_path / "toolkit" / "bin" / "nvcc"
    nvcc.parent.mkdir(parents=True)
    nvcc.touch(mode=0o755)
    for other in ("CUDACXX", "CUDA_HOME"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv("PATH", "/usr/bin")
    value = {"CUDACXX": nvcc, "CUDA_HOME": nvcc.parents[1], "PATH": nvcc.parent}
    monkeypatch.setenv(name, str(value[name]))
    assert bring_nvcc.find_nvcc() == str(nvcc)


def test_who_wants_no_kernels_gets_no_nvcc(commands, monkeypatch):
    monkeypatch.setenv("STATPOOL_CUDA", "OFF")
    assert bring_nvcc.main() == 0
    assert commands == []
