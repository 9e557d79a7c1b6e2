"""The wheels that `make gpu-tensorflow` needs where there is no network."""

import json
import types
from pathlib import Path

from tools import gpu_environment, gpu_wheels


def test_the_list_of_wheels(monkeypatch, tmp_path, capsys):
    def run(command, check):
        assert {"--dry-run", "--only-binary", "tensorflow[and-cuda]"} <= set(command)
        assert {"ninja", "nvidia-nvvm", "tf_keras", "pytest"} <= set(command)
        resolved = [{"name": "Big_One", "version": "1.5"}]
        resolved += [{"name": "other", "version": "2"}]
        report = {"install": [{"metadata": one} for one in resolved]}
        Path(command[command.index("--report") + 1]).write_text(json.dumps(report))

    monkeypatch.setattr(gpu_wheels, "subprocess", types.SimpleNamespace(run=run))
    assert gpu_wheels.check(tmp_path) == 1
    assert "tools.gpu_wheels list" in capsys.readouterr().out
    assert gpu_wheels.main(["list", str(tmp_path)]) == 0
    assert (tmp_path / "wheels.txt").read_text() == "big-one==1.5\nother==2\n"
    assert f"pip download --no-deps --only-binary :all: --dest {tmp_path}" in (
        capsys.readouterr().out
    )
    with (tmp_path / "big_one-1.5-py3-none-any.whl").open("w") as wheel:
        wheel.truncate(10**8)
    assert gpu_wheels.check(tmp_path) == 1
    assert "got none of other==2; " in capsys.readouterr().out
    (tmp_path / "other-2-cp311-cp311-linux_x86_64.whl").touch()
    assert gpu_wheels.check(tmp_path) == 0
    assert "0.1 GB" in capsys.readouterr().out


def test_what_a_python_has_is_not_pinned_anew_but_what_builds():
    pins = gpu_environment.pins_of_what_lacks().split()
    names = {pin.partition("==")[0] for pin in pins}
    assert not names & {"numpy", "keras", "pytest"}
    assert names >= {"setuptools", "cmake", "nvidia-nvvm"}
