"""Drives CMake, which builds the TensorFlow op, its XLA and JAX parts, and NumPy's.

`CMAKE_ARGS` and `CMAKE_BUILD_PARALLEL_LEVEL` of the environment are passed through, and
so are `STATPOOL_CUDA` and `STATPOOL_CUDA_ARCHS`, see cmake/StatpoolCuda.cmake.
`STATPOOL_TENSORFLOWS` lists further Pythons: the op is built for their TensorFlows too.
"""

import atexit
import importlib.metadata
import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import setuptools
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

SOURCE = Path(__file__).parent.resolve()


class CMakeBuild(build_ext):
    """Builds every native target of the package with CMake."""

    def build_extension(self, ext: Extension) -> None:
        """Builds into the folder that setuptools expects."""
        for tool in ("cmake", "ninja", "pybind11"):
            if importlib.util.find_spec(tool) is None:
                _exit(f"needs {tool}, got an environment without it")
        package = Path(self.get_ext_fullpath(ext.name)).parent.resolve()
        for stale in package.glob("*.so"):
            stale.unlink()
        # This Python's comes last, so that tests find the build folder made for it. The
        # kernels depend on no TensorFlow, and are built once.
        for python in (*OTHER_TENSORFLOWS, sys.executable):
            self._build_for(python, package)

    def _build_for(self, python, package) -> None:
        """Builds what the TensorFlow of a Python needs, and all else."""
        import ninja

        # Kept between builds, apart for each Python.
        build = SCRATCH / f"cmake-{sys.implementation.cache_tag}"
        cmake = [sys.executable, "-m", "cmake"]
        configure = [
            *cmake,
            "--fresh",  # the compiler and TensorFlow may be others than last time
            "-S",
            SOURCE,
            "-B",
            build,
            "-G",
            "Ninja",
            f"-DCMAKE_MAKE_PROGRAM={Path(ninja.BIN_DIR) / 'ninja'}",
            f"-DPython_EXECUTABLE={sys.executable}",
            f"-DTensorFlow_PYTHON={python}",
            f"-DCMAKE_LIBRARY_OUTPUT_DIRECTORY={package}",
            f"-DSTATPOOL_CUDA={os.environ.get('STATPOOL_CUDA') or 'AUTO'}",
            f"-DSTATPOOL_CUDA_ARCHS={os.environ.get('STATPOOL_CUDA_ARCHS', '')}",
            *shlex.split(os.environ.get("CMAKE_ARGS", "")),
        ]
        _run(configure)
        # All in one go, so that the slow file of the XLA part doesn't come last; then
        # again what is indispensable, and each part, to learn which of them failed.
        parts = {"XLA": "statpool_xla", "JAX": "statpool_jax"}
        target = [*cmake, "--build", build, "--target"]
        together = [*target, "all", *parts.values(), "--", "-k", "0"]
        if OTHER_TENSORFLOWS:  # a release leaves nothing out
            _run(together)
        elif subprocess.run(together).returncode:
            _run([*target, "all"])
            for name, part in parts.items():
                if subprocess.run([*target, part]).returncode:
                    print(
                        f"statpool: the {name} part is left out, it doesn't build "
                        "here; build/build.log, or the output above, says why"
                    )

    def copy_extensions_to_source(self) -> None:
        """Copies every library beside the Python sources, for editable installs."""
        built = Path(self.build_lib) / "statpool"
        build_py = self.get_finalized_command("build_py")
        package = Path(build_py.get_package_dir("statpool"))
        for stale in package.glob("*.so"):
            stale.unlink()
        for library in built.glob("*.so"):
            self.copy_file(library, package / library.name)


def _run(command) -> None:
    try:
        subprocess.run(command, check=True)
    except subprocess.CalledProcessError as error:
        failed = shlex.join(map(str, command))
        sys.exit(f"statpool: the native build failed ({error.returncode}): {failed}")


def _exit(what) -> None:
    tools = "cmake ninja pybind11 setuptools wheel"
    sys.exit(f"statpool: the build {what}; run 'pip install --upgrade {tools}'")


def _scratch() -> Path:
    """Where the build may write: beside the sources, unless they are read-only."""
    if os.access(SOURCE, os.W_OK):
        return SOURCE / "build"
    folder = tempfile.mkdtemp(prefix="statpool-")
    atexit.register(shutil.rmtree, folder)
    return Path(folder)


def _options() -> dict:
    options = {}
    if SCRATCH.parent != SOURCE:
        options["build"] = {"build_base": str(SCRATCH)}
        options["egg_info"] = {"egg_base": str(SCRATCH)}
    # The wheel's name says what it is for, where that is one TensorFlow only.
    names = importlib.metadata.packages_distributions().get("tensorflow")
    if names and not OTHER_TENSORFLOWS:
        version = importlib.metadata.version(names[0])
        options["bdist_wheel"] = {"build_number": f"1tensorflow{version}"}
    return options


if int(setuptools.__version__.partition(".")[0]) < 77:  # which read pyproject.toml
    _exit(f"needs setuptools 77 or newer, got {setuptools.__version__}")
SCRATCH = _scratch()
OTHER_TENSORFLOWS = shlex.split(os.environ.get("STATPOOL_TENSORFLOWS", ""))
setup(
    ext_modules=[Extension("statpool._core", sources=[])],
    cmdclass={"build_ext": CMakeBuild},
    options=_options(),
)
