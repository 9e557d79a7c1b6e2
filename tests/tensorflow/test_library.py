"""Loading: lazy, checked before the loader runs, and a fallback that says why."""

import functools
import re
import shutil
import subprocess
import sys
import warnings

import numpy as np
import pytest
import tensorflow as tf

import statpool
from statpool import _availability, _native, ops
from statpool._options import STATISTICS
from tests.support.fresh_process import run


@pytest.fixture
def nothing_loaded(monkeypatch):
    """The state of a new process, for one test: TensorFlow can't unload a library."""
    for module, name in [
        (_native, "ops"),
        (_native, "why_not_in_xla"),
        (_availability, "why_unavailable"),
        (ops, "_warn_once"),
    ]:
        uncached = getattr(module, name).__wrapped__
        monkeypatch.setattr(module, name, functools.cache(uncached))


@pytest.fixture
def other_tensorflow(monkeypatch, nothing_loaded):
    """The library as if built for TensorFlow 2.99, and nothing loaded yet."""
    info = {**_native.core().build_info(), "tensorflow": "2.99.0"}

    class Core:
        build_info = staticmethod(lambda: info)

    def load(path):
        raise AssertionError("the loader must not run")

    monkeypatch.setattr(_native, "core", lambda: Core)
    monkeypatch.setattr(tf, "load_op_library", load)


@pytest.mark.usefixtures("other_tensorflow")
def test_library_for_another_tensorflow_is_recognised_before_loading():
    with pytest.raises(statpool.NativeLibraryError) as raised:
        statpool.global_stats(np.ones((1, 2, 3)), implementation="native")
    message = str(raised.value)
    assert "2.99.0" in message
    assert tf.__version__ in message
    assert "make build" in message


@pytest.mark.usefixtures("other_tensorflow")
def test_auto_falls_back_with_one_warning():
    x = np.random.default_rng(0).normal(size=(2, 5, 3)).astype(np.float32)
    with pytest.warns(UserWarning, match=r"composite.*2\.99\.0.*make build"):
        y = statpool.global_stats(x)
    expected = statpool.global_stats(x, implementation="composite")
    np.testing.assert_array_equal(y, expected)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        statpool.global_stats(x)


def test_stamp_compares_version_and_abi():
    info = {"tensorflow": "2.21.0", "cxx11_abi": "1"}
    _native.check_stamp(info, "2.21.0", 1)
    for version, abi in [("2.21.1", 1), ("2.21.0", 0)]:
        with pytest.raises(statpool.NativeLibraryError, match=re.escape(version)):
            _native.check_stamp(info, version, abi)


def test_missing_library_names_the_cure():
    done = run(
        "import pathlib, statpool\n"
        "from statpool import _native\n"
        "_native.OP_LIBRARY = pathlib.Path('nowhere.so')\n"
        "statpool.load_library()\n"
    )
    said = done.stderr.splitlines()[-1]
    assert "NativeLibraryError: the op library must load into TensorFlow" in said
    assert "make clean build" in said


TWICE = (
    "import sys, numpy as np, tensorflow as tf\n"
    "{load}\n"
    "import statpool\n"
    "pool = lambda x: statpool.global_stats(x, implementation='native')\n"
    "x = tf.ones([1, 2, 3])\n"
    "assert np.array_equal(pool(x), tf.function(pool, jit_compile={xla})(x))\n"
)


@pytest.fixture
def copied_library(tmp_path):
    for library in _native.OP_LIBRARY.parent.glob("libstatpool*.so"):
        shutil.copy(library, tmp_path)
    return str(tmp_path / _native.OP_LIBRARY.name)


@pytest.mark.parametrize("xla", [False, True])
def test_a_copy_that_is_loaded_already_is_used(xla, copied_library):
    load = f"tf.load_op_library({copied_library!r})"
    done = run(TWICE.format(load=load, xla=xla and not _native.why_not_in_xla()))
    assert done.returncode == 0, done.stderr


def test_a_copy_that_python_did_not_load_is_named(copied_library):
    load = f"tf.load_library({copied_library!r})"
    done = run(TWICE.format(load=load, xla=False))
    assert "must be loaded by Python, got its op registered" in done.stderr


def test_a_build_without_the_xla_part_says_why(monkeypatch, tmp_path):
    why = "kernels inside XLA need headers of TensorFlow 2.20"

    class Core:
        build_info = staticmethod(lambda: {"why_no_xla": why})

    monkeypatch.setattr(_native, "core", lambda: Core)
    monkeypatch.setattr(_native, "XLA_LIBRARY", tmp_path / "libstatpool_xla.so")
    monkeypatch.setattr(_native, "_registered_devices", set)
    assert _native.why_not_in_xla.__wrapped__() == why


def test_import_loads_neither_tensorflow_nor_the_library():
    code = (
        "import sys, statpool, statpool.numpy, statpool.reference; "
        "import numpy as np; statpool.reference.global_stats(np.ones((1, 2, 3))); "
        "assert 'statpool._core' not in sys.modules; "
        "statpool.numpy.global_stats(np.ones((1, 2, 3))); "
        "assert 'tensorflow' not in sys.modules; "
        "maps = open('/proc/self/maps').read(); assert 'libstatpool.so' not in maps"
    )
    done = run(code)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("order", ["statpool, keras", "keras, statpool"])
def test_import_statpool_registers_the_layer(order):
    code = (
        f"import {order}; name = 'statpool>GlobalStatsPooling1D'; "
        "assert keras.saving.get_registered_object(name) is "
        "statpool.GlobalStatsPooling1D"
    )
    done = run(code)
    assert done.returncode == 0, done.stderr


def test_build_info_names_what_matters():
    info = statpool.build_info()
    assert info["statpool"] == statpool.__version__
    assert info["tensorflow"] == tf.__version__
    assert info["instruction_set"] in info["instruction_sets"]
    assert info["compiler"]


def test_doctor_reports_and_succeeds():
    done = subprocess.run(
        [sys.executable, "-m", "statpool", "doctor"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(rf"ok +TensorFlow +{re.escape(tf.__version__)}", done.stdout)
    assert re.search(r"ok +TensorFlow op", done.stdout)
    assert re.search(r"ok +XLA +has the op's kernels for CPU", done.stdout)


def test_doctor_says_what_it_found_before_a_library_ended_it():
    done = run(
        "import os, signal\n"
        "from statpool import _availability, doctor\n"
        "_availability.why_unavailable = lambda: os.kill(os.getpid(), signal.SIGBUS)\n"
        "doctor.report()\n"
    )
    assert done.returncode < 0
    found = [line[4:].partition("  ")[0] for line in done.stdout.splitlines()]
    assert found == ["Python", "TensorFlow", "NumPy binding"]


def test_unknown_attribute_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nonsense"):
        _ = statpool.nonsense
    assert "GlobalStatsPooling1D" in dir(statpool)


def test_the_core_numbers_the_statistics_alike():
    assert tuple(_native.core().statistics()) == STATISTICS


USE = (
    "import numpy as np, statpool, tensorflow as tf\n"
    "def use():\n"
    "    x = tf.Variable(np.ones((1, 2, 3), 'float32'))\n"
    "    with tf.GradientTape() as tape:\n"
    "        y = statpool.global_stats(x, implementation='native')\n"
    "    assert tape.gradient(y, x) is not None\n"
)


def test_threads_may_be_the_first_to_use_the_op():
    done = run(
        USE + "from concurrent.futures import ThreadPoolExecutor\n"
        "import threading\n"
        "start = threading.Barrier(8)\n"
        "def first(_):\n"
        "    start.wait()\n"
        "    use()\n"
        "with ThreadPoolExecutor(8) as pool:\n"
        "    list(pool.map(first, range(8)))\n"
    )
    assert done.returncode == 0, done.stderr


AGAIN = {
    "reloaded": (
        "for name in ('_gradients', '_native', 'ops'):\n"
        "    importlib.reload(sys.modules[f'statpool.{name}'])\n"
    ),
    "imported again": (
        "for name in [n for n in sys.modules if n.partition('.')[0] == 'statpool']:\n"
        "    if not name.endswith('_core'):\n"
        "        del sys.modules[name]\n"
        "import statpool\n"
    ),
}


@pytest.mark.parametrize("how", AGAIN)
def test_statpool_may_be_loaded_twice(how):
    done = run(f"import importlib, sys\n{USE}use()\n{AGAIN[how]}use()\nuse()\n")
    assert done.returncode == 0, done.stderr


SAVED = (
    "import numpy as np, sys, tensorflow as tf\n"
    "x = tf.constant(np.arange(12, dtype='float32').reshape(1, 4, 3))\n"
    "def check(folder):\n"
    "    y = tf.saved_model.load(folder).pool(x)\n"
    "    assert y[0, :3].numpy().tolist() == [4.5, 5.5, 6.5], y\n"
)


@pytest.fixture(scope="module")
def saved_with_the_op(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "native"
    module = tf.Module()
    module.pool = tf.function(
        lambda x: statpool.global_stats(x, implementation="native"),
        input_signature=[tf.TensorSpec([None, None, 3], tf.float32)],
    )
    tf.saved_model.save(module, str(folder))
    return str(folder)


PUBLIC_WAYS = {
    "load_library": "import statpool\nstatpool.load_library()\n",
    "twice": "import statpool\nstatpool.load_library()\nstatpool.load_library()\n",
    "path": "tf.load_op_library({path!r})\n",
    "path, then statpool": (
        "tf.load_op_library({path!r})\n"
        "import statpool\n"
        "statpool.load_library()\n"
        "statpool.global_stats(x, implementation='native')\n"
    ),
}


@pytest.mark.parametrize("way", PUBLIC_WAYS)
def test_public_ways_to_register_the_op(saved_with_the_op, way):
    load = PUBLIC_WAYS[way].format(path=statpool.library_path())
    done = run(f"{SAVED}{load}check({saved_with_the_op!r})")
    assert done.returncode == 0, done.stderr


def test_importing_statpool_registers_no_op(saved_with_the_op):
    done = run(f"import statpool\n{SAVED}check({saved_with_the_op!r})")
    assert "Statpool>GlobalStats" in done.stderr


@pytest.mark.usefixtures("other_tensorflow")
def test_load_library_says_what_the_doctor_says():
    with pytest.raises(statpool.NativeLibraryError) as raised:
        statpool.load_library()
    assert str(raised.value) == _availability.why_unavailable()


def test_the_path_of_a_library_that_is_not_built(monkeypatch, tmp_path):
    monkeypatch.setattr(_native, "OP_LIBRARY", tmp_path / "libstatpool.so")
    with pytest.raises(statpool.NativeLibraryError, match="must be built"):
        statpool.library_path()
