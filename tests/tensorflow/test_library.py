"""Loading: lazy, checked before the loader runs, and a fallback that says why."""

import functools
import re
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import statpool
from statpool import _availability, _native
from statpool._options import SAMPLE_STD, STATISTICS
from tests.support.fresh_process import run

X = np.random.default_rng(0).normal(size=(2, 5, 3)).astype(np.float32)


def runs(code, *arguments):
    done = run(code, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


# ----------------------------------------------------- in this process, with fakes


@pytest.fixture
def nothing_loaded(monkeypatch):
    """The state of a new process, for one test: TensorFlow can't unload a library."""
    for module, name in [
        (_native, "ops"),
        (_native, "why_not_in_xla"),
        (_availability, "why_unavailable"),
        (_native, "warn_once"),
    ]:
        uncached = getattr(module, name).__wrapped__
        monkeypatch.setattr(module, name, functools.cache(uncached))
    monkeypatch.setattr(_native, "_registered_devices", set)


@pytest.fixture
def other_tensorflow(monkeypatch, tmp_path, nothing_loaded):
    """The libraries as if built for TensorFlow 2.98 and 2.99, and nothing loaded."""

    def load(path):
        raise AssertionError("the loader must not run")

    for version in ("2.98", "2.99"):
        (tmp_path / f"libstatpool-tf{version}-abi1.so").touch()
    monkeypatch.setattr(_native, "FOLDER", tmp_path)
    monkeypatch.setattr(tf, "load_op_library", load)


@pytest.mark.usefixtures("other_tensorflow")
def test_library_for_another_tensorflow_is_recognised_before_loading():
    for use in (
        statpool.load_library,
        statpool.library_path,
        lambda: statpool.global_stats(X, implementation="native"),
    ):
        with pytest.raises(statpool.NativeLibraryError) as raised:
            use()
        message = str(raised.value)
        assert message == _availability.why_unavailable()
        got = f"got one for 2.98 and 2.99 under TensorFlow {tf.__version__}, which"
        for words in (got, "; install TensorFlow 2.98 or 2.99, or run 'make build'"):
            assert words in message


@pytest.mark.usefixtures("other_tensorflow")
def test_auto_falls_back_with_one_warning():
    with pytest.warns(UserWarning, match=r"composite.*2\.99.*make build"):
        y = statpool.global_stats(X)
    expected = statpool.global_stats(X, implementation="composite")
    np.testing.assert_array_equal(y, expected)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        statpool.global_stats(X)


@pytest.mark.usefixtures("nothing_loaded")
def test_missing_library_names_the_cure(monkeypatch, tmp_path):
    monkeypatch.setattr(_native, "FOLDER", tmp_path)
    words = "got none under TensorFlow .* needs libstatpool-tf.*; run 'make build'"
    for use in (statpool.load_library, statpool.library_path):
        with pytest.raises(statpool.NativeLibraryError, match=words):
            use()


@pytest.mark.usefixtures("nothing_loaded")
def test_a_broken_library_names_the_cure(monkeypatch, tmp_path):
    intact = Path(statpool.library_path())
    (tmp_path / intact.name).write_text("not a library")
    monkeypatch.setattr(_native, "FOLDER", tmp_path)
    words = "the op library must load into TensorFlow.*make clean build"
    with pytest.raises(statpool.NativeLibraryError, match=words):
        statpool.load_library()


@pytest.mark.parametrize(
    ("version", "abi", "fitting"),
    [
        ("2.18.1", 1, "libstatpool-tf2.18-abi1.so"),
        ("2.21.0", 1, "libstatpool-tf2.21-abi1.so"),
        ("2.21.7", 1, "libstatpool-tf2.21-abi1.so"),
        ("2.21.0", 0, None),
        ("2.21.0-rc1", 1, None),
        ("2.2.1", 1, None),
        ("2.22.0", 1, None),
    ],
)
def test_the_minor_version_and_the_abi_pick_the_library(
    monkeypatch, tmp_path, version, abi, fitting
):
    """Patch releases keep the ABI; what comes before a release promises nothing."""
    for release in ("2.18", "2.21"):
        (tmp_path / f"libstatpool-tf{release}-abi1.so").touch()
        (tmp_path / f"libstatpool_xla-tf{release}-abi1.so").touch()
    monkeypatch.setattr(_native, "FOLDER", tmp_path)
    monkeypatch.setattr(tf, "__version__", version)
    monkeypatch.setattr(tf.sysconfig, "CXX11_ABI_FLAG", abi)
    if fitting:
        assert statpool.library_path() == str(tmp_path / fitting)
    else:
        message = f"got one for 2.18 and 2.21 under TensorFlow {re.escape(version)}"
        with pytest.raises(statpool.NativeLibraryError, match=message):
            statpool.library_path()


def test_build_info_names_what_matters():
    info = statpool.build_info()
    assert info["statpool"] == statpool.__version__
    assert tf.__version__.rpartition(".")[0] in info["tensorflow"]
    assert info["instruction_set"] in info["instruction_sets"]
    assert info["compiler"]


def test_unknown_attribute_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nonsense"):
        _ = statpool.nonsense
    assert "GlobalStatsPooling1D" in dir(statpool)


def test_the_core_numbers_the_statistics_alike():
    assert tuple(_native.core().statistics()) == (*STATISTICS, SAMPLE_STD)


# --------------------------------------------------------------- in fresh processes


REGISTERED = (
    "name = 'statpool>GlobalStatsPooling1D'\n"
    "layer = keras.saving.get_registered_object(name)\n"
    "assert layer is statpool.GlobalStatsPooling1D\n"
)


def test_import_loads_neither_tensorflow_nor_the_library():
    runs(
        "import sys, statpool, statpool.numpy, statpool.reference\n"
        "import numpy as np; statpool.reference.global_stats(np.ones((1, 2, 3)))\n"
        "assert 'statpool._core' not in sys.modules\n"
        "statpool.numpy.global_stats(np.ones((1, 2, 3)))\n"
        "assert 'tensorflow' not in sys.modules\n"
        "assert 'libstatpool-tf' not in open('/proc/self/maps').read()\n"
        f"import keras\n{REGISTERED}"
    )


def test_import_statpool_registers_the_layer():
    """After Keras; the test above imports Keras after statpool."""
    runs(f"import keras, statpool\n{REGISTERED}")


USE = (
    "import importlib, sys, threading, numpy as np, tensorflow as tf\n"
    "x = tf.constant(np.arange(12, dtype='float32').reshape(1, 4, 3))\n"
    "def use():\n"
    "    import statpool\n"
    "    pool = lambda x: statpool.global_stats(x, implementation='native')\n"
    "    with tf.GradientTape() as tape:\n"
    "        tape.watch(x)\n"
    "        y = pool(x)\n"
    "    assert tape.gradient(y, x) is not None\n"
    "    assert np.array_equal(y, tf.function(pool, jit_compile={xla})(x))\n"
    "def check(folder):\n"
    "    y = tf.saved_model.load(folder).pool(x)\n"
    "    assert y[0, :3].numpy().tolist() == [4.5, 5.5, 6.5], y\n"
).replace("{xla}", str(not _native.why_not_in_xla()))


@pytest.fixture
def copied_library(tmp_path):
    intact = Path(statpool.library_path())
    for library in intact.parent.glob("libstatpool*.so"):
        shutil.copy(library, tmp_path)
    return str(tmp_path / intact.name)


def test_a_copy_that_is_loaded_already_is_used(copied_library):
    runs(f"{USE}tf.load_op_library({copied_library!r})\nuse()\n")


def test_a_copy_that_python_did_not_load_is_named(copied_library):
    done = run(f"{USE}tf.load_library({copied_library!r})\nuse()\n")
    assert "must be loaded by Python, got its op registered" in done.stderr


def test_threads_may_be_the_first_to_use_the_op():
    runs(
        f"{USE}from concurrent.futures import ThreadPoolExecutor\n"
        "start = threading.Barrier(8)\n"
        "with ThreadPoolExecutor(8) as pool:\n"
        "    list(pool.map(lambda _: (start.wait(), use()), range(8)))\n"
    )


def test_statpool_may_be_loaded_twice():
    """Its modules reloaded, and then all of it imported again."""
    runs(
        f"{USE}use()\n"
        "for name in ('_gradients', '_native', 'ops'):\n"
        "    importlib.reload(sys.modules[f'statpool.{name}'])\n"
        "use()\nuse()\n"
        "for name in [n for n in sys.modules if n.partition('.')[0] == 'statpool']:\n"
        "    if not name.endswith('_core'):\n"
        "        del sys.modules[name]\n"
        "use()\nuse()\n"
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
    "load_library": (
        "import statpool\n"
        "try:\n"
        "    check(sys.argv[1])  # importing statpool registers no op\n"
        "except Exception as error:\n"
        "    assert 'Statpool>GlobalStats' in str(error)\n"
        "statpool.load_library()\n"
        "statpool.load_library()\n"
    ),
    "path": (
        "tf.load_op_library(sys.argv[2])\n"
        "check(sys.argv[1])\n"
        "import statpool\n"
        "statpool.load_library()\n"
        "use()\n"
    ),
}


@pytest.mark.parametrize("way", PUBLIC_WAYS)
def test_public_ways_to_register_the_op(saved_with_the_op, way):
    code = f"{USE}{PUBLIC_WAYS[way]}check(sys.argv[1])\n"
    runs(code, saved_with_the_op, statpool.library_path())
