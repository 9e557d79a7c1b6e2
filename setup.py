"""Drives CMake, which builds the TensorFlow op, its XLA part and the NumPy binding.

`CMAKE_ARGS` and `CMAKE_BUILD_PARALLEL_LEVEL` of the environment are passed through, and
so are `STATPOOL_CUDA` and `STATPOOL_CUDA_ARCHS`, see cmake/StatpoolCuda.cmake.
"""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import ninja
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

SOURCE = Path(__file__).parent.resolve()


class CMakeBuild(build_ext):
    """Builds every native target of the package with one CMake run."""

    def build_extension(self, ext: Extension) -> None:
        """Configures and builds into the folder that setuptools expects."""
        package = Path(self.get_ext_fullpath(ext.name)).parent.resolve()
        build = SOURCE / "build" / "cmake"
        cmake = [sys.executable, "-m", "cmake"]
        configure = [
            *cmake,
            "-S",
            SOURCE,
            "-B",
            build,
            "-G",
            "Ninja",
            f"-DCMAKE_MAKE_PROGRAM={Path(ninja.BIN_DIR) / 'ninja'}",
            f"-DPython_EXECUTABLE={sys.executable}",
            f"-DCMAKE_LIBRARY_OUTPUT_DIRECTORY={package}",
            f"-DSTATPOOL_CUDA={os.environ.get('STATPOOL_CUDA') or 'AUTO'}",
            f"-DSTATPOOL_CUDA_ARCHS={os.environ.get('STATPOOL_CUDA_ARCHS', '')}",
            *shlex.split(os.environ.get("CMAKE_ARGS", "")),
        ]
        _run(configure)
        # All in one go, so that the slow file of the XLA part doesn't come last; then
        # again what is indispensable, to learn which of the two failed.
        target = [*cmake, "--build", build, "--target", "all"]
        if subprocess.run([*target, "statpool_xla", "--", "-k", "0"]).returncode:
            _run(target)
            print(
                "statpool: the XLA part is left out, it doesn't build against this "
                "TensorFlow; build/build.log, or the output above, says why"
            )
            (package / "libstatpool_xla.so").unlink(missing_ok=True)

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
        sys.exit(f"statpool: the native build failed, see above ({error})")


setup(
    ext_modules=[Extension("statpool._core", sources=[])],
    cmdclass={"build_ext": CMakeBuild},
)
