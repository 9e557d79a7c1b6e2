"""Rules about the sources themselves: who may include whom, and what nobody may use."""

import ast
import graphlib
import re
from pathlib import Path

import pytest

from tests.support import source_tree

ROOT = Path(__file__).parents[2]
INCLUDE = re.compile(r'^\s*#\s*include\s+["<]([^">]+)[">]', re.MULTILINE)

# core <- cpu, cuda <- tf, xla, pybind; cpu and cuda don't see each other.
MAY_INCLUDE = {
    "cc/core": ("cc/core/",),
    "cc/cpu": ("cc/core/", "cc/cpu/"),
    "cuda": ("cc/core/", "cuda/"),
    "cc/tf": ("cc/core/", "cc/cpu/", "cuda/", "cc/tf/"),
    "cc/xla": ("cc/core/", "cc/cpu/", "cuda/", "cc/tf/pooling_inputs.h", "cc/xla/"),
    "cc/pybind": ("cc/core/", "cc/cpu/", "cuda/", "cc/pybind/"),
}
FRAMEWORKS = ("tensorflow/", "tsl/", "xla/", "absl/", "Eigen/", "unsupported/")
MAY_USE_FRAMEWORKS = ("cc/tf", "cc/xla")
MODULES_WITHOUT_TENSORFLOW = (
    "__init__",
    "_arrays",
    "_base_layer",
    "_inputs",
    "_keras",
    "_options",
    "layers",
    "numpy",
    "reference",
)


def sources(folder):
    files = (ROOT / folder).glob("*")
    return [f for f in files if f.suffix in {".h", ".cc", ".cu", ".cuh"}]


def all_sources():
    return [(folder, file) for folder in MAY_INCLUDE for file in sources(folder)]


def tracked_text():
    for name in source_tree.names():
        path = ROOT / name
        if path.suffix not in {".png", ".ogg", ".mp3", ".flac"}:
            yield name, path.read_text()


@pytest.mark.parametrize(("folder", "file"), all_sources(), ids=lambda v: str(v)[-40:])
def test_dependencies_point_one_way(folder, file):
    for included in INCLUDE.findall(file.read_text()):
        if included.startswith(("cc/", "cuda/")):
            assert included.startswith(MAY_INCLUDE[folder]), included
        if folder not in MAY_USE_FRAMEWORKS:
            assert not included.startswith(FRAMEWORKS), included


def test_the_rule_sees_the_sources():
    folders = {folder for folder, _ in all_sources()}
    assert folders >= {"cc/core", "cc/cpu", "cuda", "cc/tf", "cc/pybind"}


def tool_sources():
    files = (ROOT / "tools").rglob("*")
    return [f for f in files if f.suffix in {".h", ".cc", ".cu"}]


def test_headers_are_guarded_by_their_path():
    tools = [(str(f.parent.relative_to(ROOT)), f) for f in tool_sources()]
    for folder, file in [*all_sources(), *tools]:
        if file.suffix not in {".h", ".cuh"}:
            continue
        path = f"{folder}/{file.name}".removeprefix("cc/")
        guard = "STATPOOL_" + re.sub(r"[/.]", "_", path).upper() + "_"
        assert f"#ifndef {guard}\n#define {guard}\n" in file.read_text(), file


def test_nothing_trades_correctness_for_speed():
    build = [ROOT / "CMakeLists.txt", ROOT / "cuda" / "CMakeLists.txt"]
    build += ROOT.glob("cc/*/CMakeLists.txt")
    flags = "".join(re.sub(r"#.*", "", file.read_text()) for file in build)
    assert "-ffast-math" not in flags
    assert "-Ofast" not in flags
    assert "use_fast_math" not in flags
    assert "-ffp-contract=off" in flags


# Launchers never wait, never allocate, and work on the caller's stream alone.
UNWANTED_IN_CUDA = re.compile(
    r"cuda(DeviceSynchronize|StreamSynchronize|EventSynchronize|Memset|Malloc"
    r"|MemsetAsync|Memcpy|MemcpyAsync|MallocAsync|Free|StreamLegacy"
    r"|StreamPerThread|DeviceReset)\b"
    r"|\batomic[A-Z]\w*\(|\b(printf|abort|exit)\("
)
LAUNCH = re.compile(r"<<<(.*?)>>>", re.DOTALL)


def test_launchers_use_the_callers_stream_and_never_wait():
    launches = 0
    callers = [file for file in sources("cc/tf") if file.name.startswith("gpu_")]
    assert callers
    for file in [*sources("cuda"), *callers, ROOT / "cc" / "xla" / "handlers_gpu.cc"]:
        text = re.sub(r"//.*", "", file.read_text())
        assert not UNWANTED_IN_CUDA.search(text), file
        for configuration in LAUNCH.findall(text):
            assert configuration.endswith(", stream"), f"{file}: <<<{configuration}>>>"
            launches += 1
    assert launches >= 4  # forward, join, gradient, lengths


def test_cuda_files_have_one_shape():
    """What it is, then includes; both passes share a file that every layer has."""
    for file in sources("cuda"):
        text = file.read_text()
        assert text.startswith(("// ", "#include")), file
        assert file.suffix not in {".h", ".cuh", ".cu"} or text.startswith("// "), file
        in_namespace = "namespace statpool {\nnamespace cuda {\n" in text
        assert in_namespace or "STATPOOL_INSTANTIATE_KERNELS" in text, file
    for folder, stem in (
        ("cuda", "global_stats_cuda"),
        ("cc/cpu", "global_stats_cpu"),
        ("cc/tf", "global_stats_ops"),
    ):
        header = (ROOT / folder / f"{stem}.h").read_text()
        assert "GlobalStatsGradient" in header
        assert (ROOT / folder / f"{stem}.cc").exists()


def test_each_version_is_stated_once():
    version = (ROOT / "VERSION").read_text().strip()
    assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text()
    pins = re.findall(r"^([\w-]+)==", (ROOT / "constraints.txt").read_text(), re.M)
    assert len(pins) == len(set(pins))


@pytest.mark.parametrize("module", MODULES_WITHOUT_TENSORFLOW)
def test_modules_without_tensorflow_stay_so(module):
    text = (ROOT / "python" / "statpool" / f"{module}.py").read_text()
    assert not re.search(r"^\s*(import|from) (tensorflow|keras)\b", text, re.MULTILINE)


def imports_of(file):
    """The modules of the package that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            of_package = [f"{node.module}.{alias.name}" for alias in node.names]
            names = of_package if node.module == "statpool" else [node.module]
        else:
            continue
        for name in names:
            if name.startswith("statpool."):
                yield name.removeprefix("statpool.")


def test_no_module_imports_in_a_circle():
    files = (ROOT / "python" / "statpool").glob("*.py")
    graph = {file.stem: set(imports_of(file)) for file in files}
    assert graph["ops"] >= {"composite", "_native", "_availability"}
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError


def test_tools_say_what_each_file_is():
    assert len(tool_sources()) > 20
    for file in tool_sources():
        assert file.read_text().startswith("// "), file


def test_no_path_of_one_machine():
    home = re.compile(r"(?<![\w./-])/(?:home|root|Users|work)/\w")
    for name, text in tracked_text():
        if name != "tests/project/test_source_policy.py":
            assert not home.search(text), name


def test_nothing_refers_to_files_beside_the_project():
    # What a clone doesn't have: a folder beside the checkout.
    beside = re.compile(r'\.\./shared\b|\bshared/(\w+\.md|ptxsim|sassmodel)|/ "shared"')
    for name, text in tracked_text():
        if name != "tests/project/test_source_policy.py":
            assert not beside.search(text), name
