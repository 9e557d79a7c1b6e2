"""Installs what `make wheel` built beside each TensorFlow that it is for.

`make test-installation` builds it before.
"""

import functools
import itertools
import platform
import re
import shutil
import zipfile

import pytest

from tests.support import source_tree
from tests.support.environments import THIS_PYTHON, Environment

pytestmark = pytest.mark.timeout(3600)

# The op is built for one patch version of each minor one (pyproject.toml): two of them
# have the others here. The last is for GPUs, whose libraries it does without.
TENSORFLOWS = [
    "tensorflow-cpu==2.16.1",
    "tensorflow-cpu==2.16.2",
    "tensorflow-cpu==2.17.1",
    "tensorflow-cpu==2.18.0",
    "tensorflow-cpu==2.18.1",
    "tensorflow-cpu==2.19.1",
    "tensorflow-cpu==2.20.0",
    "tensorflow-cpu==2.21.0",
    "tensorflow==2.21.0",
]
OLDEST, MIDDLE, NEWEST = TENSORFLOWS[0], TENSORFLOWS[3], TENSORFLOWS[-2]


@pytest.fixture(scope="module")
def wheel():
    python = THIS_PYTHON.replace(".", "")
    (wheel,) = (source_tree.ROOT / "dist").glob(f"statpool-*-cp{python}-*.whl")
    return wheel


@pytest.fixture(scope="module")
def beside(wheel, tmp_path_factory):
    """Makes an environment with a TensorFlow and the wheel, the first time."""

    @functools.cache
    def make(tensorflow):
        if THIS_PYTHON > "3.12" and tensorflow < "tensorflow-cpu==2.20":
            pytest.skip(f"{tensorflow} has no wheel for Python {THIS_PYTHON}")
        packages = tensorflow, "pytest", "pytest-timeout", "hypothesis"
        environment = Environment(tmp_path_factory.mktemp("beside") / "venv", *packages)
        before = environment.freeze()
        environment.pip("install", wheel)
        assert environment.freeze() == before
        return environment

    return make


def test_what_the_wheel_holds(wheel):
    """The op for each TensorFlow, licences; nothing of TensorFlow or this machine."""
    assert wheel.stat().st_size <= 14e6
    version = (source_tree.ROOT / "VERSION").read_text().strip()
    # docs/deploy.md: the name says which glibc it needs, none newer than the builder's.
    name = rf"statpool-{version}-cp(\d+)-cp\1-manylinux_2_(\d+)_x86_64\.whl"
    needed = int(re.fullmatch(name, wheel.name)[2])
    assert needed <= int(platform.libc_ver()[1].partition(".")[2])
    archive = zipfile.ZipFile(wheel)
    libraries = {n.rpartition("/")[2] for n in archive.namelist() if ".so" in n}
    minors = sorted({re.search(r"==(2\.\d+)", name)[1] for name in TENSORFLOWS})
    if THIS_PYTHON > "3.12":
        minors = minors[-2:]
    expected = {f"libstatpool-tf{minor}-abi1.so" for minor in minors}
    expected |= {f"libstatpool_xla-tf{minor}-abi1.so" for minor in minors[-2:]}
    expected |= {"libstatpool_kernels.so", *(n for n in libraries if "_core" in n)}
    assert libraries == expected
    assert len(libraries) == len(minors) + 4
    texts = {n.partition("/licenses/")[2] for n in archive.namelist()}
    licences = (source_tree.ROOT / "licenses").glob("*.txt")
    assert {"LICENSE", *(f"licenses/{file.name}" for file in licences)} <= texts
    for member in archive.namelist():
        assert str(source_tree.ROOT).encode() not in archive.read(member), member


@pytest.mark.parametrize("tensorflow", TENSORFLOWS)
def test_beside_each_tensorflow(beside, tensorflow, tmp_path):
    """Values, gradients and errors, eager, in graphs and in XLA; the doctor; layers."""
    environment = beside(tensorflow)
    version = tensorflow.partition("==")[2]
    said = environment.run("-m", "statpool", "doctor")
    minor = version.rpartition(".")[0]
    assert re.search(rf"ok +TensorFlow op +libstatpool-tf{minor}-abi1\.so loads", said)
    if minor < "2.20":
        why = f"headers of TensorFlow 2.20 or newer, got none for TensorFlow {version}"
        assert re.search(f"-- +XLA +.*{why}", said)
    else:
        assert re.search("ok +XLA +has the op's kernels for CPU", said)
    source = source_tree.copy(tmp_path / "source")
    shutil.rmtree(source / "python")
    pytest_ = "-m", "pytest", "-q", "-p", "no:cacheprovider"
    parts = (f"tests/contract/test_{part}.py" for part in ("values", "errors"))
    said = environment.run(*pytest_, "-k", "native", *parts, cwd=source)
    modes = 3 if minor >= "2.20" else 2  # 144 tests of each or more
    assert int(re.search(r"(\d+) passed", said)[1]) >= 100 * modes
    environment.run(*pytest_, "tests/keras/test_layers.py", cwd=source)


# ---------------------------------------------------------------------- saved models

MODEL = (
    "import functools, sys, keras, numpy as np, statpool, tensorflow as tf\n"
    "folder = sys.argv[1]\n"
    "x = np.arange(2 * 50 * 6, dtype='float32').reshape(2, 50, 6) % 17 - 5\n"
)
SAVE = (
    f"{MODEL}"
    "frames = keras.Input((None, 6))\n"
    "y = statpool.GlobalStatsPooling1D(implementation='native')(frames)\n"
    "y = keras.layers.Dense(3)(y)\n"
    "model = keras.Model(frames, y)\n"
    "model.save(folder + '/model.keras')\n"
    "statpool.export(model, folder + '/exported', implementation='native')\n"
    "module = tf.Module()\n"
    "pool = functools.partial(statpool.global_stats, implementation='native')\n"
    "module.gradient = tf.function(\n"
    "    lambda x: tf.gradients(pool(x), x),\n"
    "    input_signature=[tf.TensorSpec([None, None, 6])])\n"
    "tf.saved_model.save(module, folder + '/gradient')\n"
    "np.savez(folder + '/expected', y=model(x), dx=module.gradient(x)[0])\n"
)
LOAD = (
    f"{MODEL}"
    "expected = np.load(folder + '/expected.npz')\n"
    "model = keras.saving.load_model(folder + '/model.keras')\n"
    "statpool.load_library()\n"
    "exported = tf.saved_model.load(folder + '/exported')\n"
    "for y in (model(x), exported.serve(x)):\n"
    "    np.testing.assert_allclose(y, expected['y'], rtol=1e-5, atol=1e-5)\n"
    "gradient = tf.saved_model.load(folder + '/gradient').gradient\n"
    "np.testing.assert_array_equal(gradient(x)[0], expected['dx'])\n"
    "print('the same in', tf.__version__)\n"
)


@pytest.mark.parametrize(
    ("saved", "loaded"), [*itertools.permutations([OLDEST, MIDDLE, NEWEST], 2)]
)
def test_models_move_between_versions(beside, saved, loaded, tmp_path):
    """With the op in them: Keras' file, a SavedModel, a graph with its gradient."""
    beside(saved).run("-c", SAVE, tmp_path)
    said = beside(loaded).run("-c", LOAD, tmp_path)
    assert f"the same in {loaded.partition('==')[2]}" in said


def test_without_tensorflow(wheel, tmp_path):
    """The NumPy binding alone; the doctor says what is missing."""
    environment = Environment(tmp_path / "venv", wheel)
    use = (
        "import numpy as np, statpool.numpy\n"
        "print(statpool.numpy.global_stats(np.ones((1, 4, 2), 'float32')))"
    )
    assert "[[1. 1. 1. 1. 2. 2.]]" in environment.run("-c", use)
    said = environment.run("-m", "statpool", "doctor", fails=True)
    assert "--  TensorFlow     not installed" in said
