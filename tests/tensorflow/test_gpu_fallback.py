"""Machines with a GPU that the kernels can't serve, told by fakes: no GPU is needed."""

import re
import subprocess
import types
import warnings

import numpy as np
import pytest
import tensorflow as tf

import statpool
from statpool import _availability, _native, doctor

X = np.arange(12, dtype=np.float32).reshape(1, 4, 3)


@pytest.fixture
def machine(monkeypatch):
    """A machine to describe: what statpool is built with, its driver and its GPUs."""
    described = {
        "cuda": "13.0.88",
        "cuda_archs": ["sm_75", "sm_90", "compute_120"],
        "driver": (13, 0),
        "gpus": {"NVIDIA H100": (9, 0)},
        "tensorflow_cuda": True,
    }
    actual = _native.core().build_info()

    def build_info():
        return {**actual, **{k: described[k] for k in ("cuda", "cuda_archs")}}

    def visible(kind=None):
        gpu = types.SimpleNamespace(name="/physical_device:GPU:0", device_type="GPU")
        return [gpu] if described["gpus"] and kind == "GPU" else []

    core = types.SimpleNamespace(build_info=build_info)
    monkeypatch.setattr(_native, "core", lambda: core)
    monkeypatch.setattr(_availability, "driver_cuda", lambda: described["driver"])
    monkeypatch.setattr(_availability, "capabilities", lambda: described["gpus"])
    monkeypatch.setattr(tf.config, "get_visible_devices", visible)
    monkeypatch.setattr(
        tf.test, "is_built_with_cuda", lambda: described["tensorflow_cuda"]
    )
    caches = _availability.why_no_gpu, _native.warn_once
    for cached in caches:
        cached.cache_clear()
    yield described
    for cached in caches:
        cached.cache_clear()


UNFIT = [
    ({"cuda": None, "cuda_archs": []}, ["without CUDA", "nvcc", "make build"]),
    ({"driver": None}, ["driver", "580", "libcuda.so.1"]),
    ({"driver": (12, 5)}, ["CUDA 13", "12.5", "580", "nvcc of CUDA 12"]),
    ({"gpus": {"Tesla V100": (7, 0)}}, ["V100", "sm_70", "STATPOOL_CUDA_ARCHS=70"]),
]


CHANGES = pytest.mark.parametrize(("change", "words"), UNFIT)


def pool(**arguments):
    return statpool.global_stats(X, **arguments)


def uses_native(function=pool, **how):
    graph = tf.function(function, **how).get_concrete_function().graph
    return "Statpool>GlobalStats" in {op.type for op in graph.get_operations()}


@CHANGES
@pytest.mark.parametrize("jit_compile", [None, True])
def test_auto_falls_back_with_one_warning(machine, change, words, jit_compile):
    assert uses_native(jit_compile=jit_compile)
    machine.update(change)
    _availability.why_no_gpu.cache_clear()
    with pytest.warns(UserWarning, match="composite") as caught:
        assert not uses_native(jit_compile=jit_compile)
    assert all(word in str(caught[0].message) for word in words)
    expected = pool(implementation="composite")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(pool(), expected)


@CHANGES
def test_native_works_where_the_scope_names_the_cpu(machine, change, words):
    machine.update(change)

    def inside():
        with tf.device("CPU:0"):
            return pool()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert uses_native(inside)
        with tf.device("CPU:0"):
            assert uses_native()
            pool()
        assert uses_native(lambda: pool(implementation="native"))


def test_auto_is_native_where_there_is_no_gpu(machine):
    machine.update({"gpus": {}, "cuda": None, "driver": None})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert uses_native()


DOCTOR = [
    *UNFIT,
    ({"tensorflow_cuda": False}, ["for CPUs", "tensorflow-gpu"]),
    ({"gpus": {}}, ["sees no GPU", "CUDA_VISIBLE_DEVICES"]),
]


@pytest.mark.parametrize(("change", "words"), DOCTOR)
def test_doctor_says_what_is_wrong_and_the_cure(machine, change, words, monkeypatch):
    monkeypatch.setattr(doctor, "_damage", lambda loading: None)  # else a process
    right = "NVIDIA H100; CUDA 13.0.88, sm_75 sm_90 compute_120"
    for works, said in ((True, [right]), (False, words)):
        [finding] = [f for f in doctor.examine() if f.name == "GPU kernels"]
        assert finding.works == works
        assert all(word in finding.detail for word in said), finding.detail
        machine.update(change)
        _availability.why_no_gpu.cache_clear()


@pytest.mark.parametrize(
    ("codes", "capability", "fits"),
    [
        (["sm_80"], (8, 0), True),
        (["sm_80"], (8, 9), True),
        (["sm_86"], (8, 0), False),
        (["sm_80"], (9, 0), False),
        (["compute_80"], (12, 0), True),
        (["compute_90"], (8, 9), False),
        (["sm_90a"], (9, 0), True),
        (["compute_90a"], (10, 0), False),
        (["sm_75", "compute_120"], (12, 1), True),
        ([], (9, 0), False),
    ],
)
def test_which_code_runs_on_which_gpu(codes, capability, fits):
    assert _availability.serves(codes, capability) == fits


DRIVER = 'extern "C" int cuDriverGetVersion(int* v) { *v = 12050; return RESULT; }'


@pytest.mark.parametrize(("result", "version"), [(0, (12, 5)), (999, None)])
def test_driver_is_asked_for_its_cuda(monkeypatch, tmp_path, result, version):
    source, library = tmp_path / "driver.cc", tmp_path / "libcuda.so.1"
    source.write_text(DRIVER.replace("RESULT", str(result)))
    subprocess.run(["c++", "-shared", "-fPIC", "-o", library, source], check=True)
    monkeypatch.setattr(_availability, "DRIVER_LIBRARY", str(library))
    assert _availability.driver_cuda.__wrapped__() == version
    monkeypatch.setattr(_availability, "DRIVER_LIBRARY", "libnowhere.so.1")
    assert _availability.driver_cuda.__wrapped__() is None


def test_build_info_says_what_the_kernels_are_built_for():
    info = statpool.build_info()
    if info["cuda"] is None:
        assert info["cuda_archs"] == []
        assert "GPU" not in _native.devices()
    else:
        assert re.fullmatch(r"\d+\.\d+\.\d+", info["cuda"])
        assert all(re.fullmatch(r"(sm|compute)_\d+", a) for a in info["cuda_archs"])
        assert {"CPU", "GPU"} <= _native.devices()
