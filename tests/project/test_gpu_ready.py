"""What TensorFlow lacks of CUDA is said library by library, with the cure."""

import subprocess

from tools import gpu_ready


def test_each_missing_library_is_named_with_the_cure(monkeypatch, tmp_path):
    needed = {f"libstatpool_{n}.so.1": f"nvidia-{n}-cu12" for n in ("a", "b", "c")}
    monkeypatch.setattr(gpu_ready, "_LIBRARIES", {"12": needed})
    monkeypatch.setattr(gpu_ready, "asked", lambda: ["nvidia-a-cu12<13,>=12.5"])
    for package in ("b", "c"):
        (tmp_path / "nvidia" / package / "lib").mkdir(parents=True)
    (tmp_path / "nvidia" / "b" / "lib" / "libstatpool_b.so.1").write_text("broken")
    there = tmp_path / "nvidia" / "c" / "lib" / "libstatpool_c.so.1"
    subprocess.run(
        ["c++", "-shared", "-o", there, "-x", "c++", "/dev/null"], check=True
    )
    found = gpu_ready.missing("12.5.1", "77", tmp_path / "tensorflow")
    a, b, cudnn = (str(finding) for finding in found)
    assert a.startswith("--  libstatpool_a.so.1: TensorFlow must load it, got '")
    assert '-m pip install "nvidia-a-cu12<13,>=12.5"' in a
    assert "libstatpool_b.so.1: " in b
    assert "too short" in b
    assert "libcudnn.so.77" in cudnn
    assert 'pip install "nvidia-cudnn-cu12"' in cudnn


def test_the_libraries_are_those_that_the_wheel_asks_for():
    packages = {line.partition("<")[0] for line in gpu_ready.asked()}
    others = {"nvidia-cudnn-cu12", "nvidia-cuda-nvcc-cu12"}
    assert {*gpu_ready._LIBRARIES["12"].values()} | others == packages
