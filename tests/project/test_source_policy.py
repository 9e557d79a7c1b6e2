"""Rules about the sources themselves: who may use whom, and what nobody may use."""

import ast
import graphlib
import re

import pytest

from tests.support.source_tree import ROOT, names

NAMES = [n for n in names() if "results" not in n]  # of benchmarks: data
CPP = [n for n in NAMES if n.endswith((".h", ".cc", ".cu", ".cuh"))]
PRODUCT = [n for n in CPP if n.startswith(("cc/", "cuda/"))]
PYTHON = [n for n in NAMES if n.endswith(".py")]
THIS = "tests/project/test_source_policy.py"


def text_of(name):
    return (ROOT / name).read_text()


def of_longest_prefix(rules, name):
    return rules[max((folder for folder in rules if name.startswith(folder)), key=len)]


# ------------------------------------------------------------------------- C++

CORE, CPU, GPU = "cc/core/", "cc/cpu/", "cuda/"
# core <- cpu, cuda <- tf, xla, pybind; xla <- jax; cpu and cuda don't see each other.
MAY_INCLUDE = {
    CORE: (CORE,),
    CPU: (CORE, CPU),
    GPU: (CORE, GPU),
    "cc/tf/": (CORE, CPU, GPU, "cc/tf/"),
    "cc/xla/": (CORE, CPU, GPU, "cc/tf/pooling_inputs.h", "cc/xla/"),
    "cc/jax/": ("cc/xla/",),
    "cc/pybind/": (CORE, CPU, GPU, "cc/pybind/"),
    "tests/native/": ("cc/", GPU, "tests/native/"),
    "benchmarks/": ("cc/", GPU, "benchmarks/"),
    "examples/": ("cc/", GPU, "examples/"),
    "tools/ptxsim/": ("tools/ptxsim/",),
}
# Within a device the passes don't see each other, and what both use sees neither.
NEVER_INCLUDES = {
    "cc/cpu/forward/": "cc/cpu/gradient/",
    "cc/cpu/gradient/": "cc/cpu/forward/",
    "cc/cpu/simd/": ("cc/cpu/forward/", "cc/cpu/gradient/"),
    "cuda/forward/": ("cuda/gradient/", "cuda/kernels/"),
    "cuda/gradient/": ("cuda/forward/", "cuda/kernels/"),
    "cuda/thread/": ("cuda/forward/", "cuda/gradient/", "cuda/kernels/"),
    "cuda/plan/": ("cuda/forward/", "cuda/gradient/", "cuda/kernels/", "cuda/thread/"),
    "": "no folder",
}
INCLUDE = re.compile(r'^\s*#\s*include\s+["<]([^">]+)[">]', re.MULTILINE)
FRAMEWORKS = ("tensorflow/", "tsl/", "xla/", "absl/", "Eigen/", "unsupported/")
OF_PROJECT = ("cc/", "cuda/", "tests/", "benchmarks/", "examples/", "tools/")


@pytest.mark.parametrize("name", CPP)
def test_dependencies_point_one_way(name):
    for included in INCLUDE.findall(text_of(name)):
        if included.startswith(OF_PROJECT):
            assert included.startswith(of_longest_prefix(MAY_INCLUDE, name)), included
            assert not included.startswith(of_longest_prefix(NEVER_INCLUDES, name))
        if name.startswith((CORE, CPU, GPU, "cc/pybind/")):
            assert not included.startswith(FRAMEWORKS), included


def test_the_rules_see_the_sources():
    for rules in (MAY_INCLUDE, NEVER_INCLUDES):
        for folder in rules:
            used = any(n.startswith(folder) for n in CPP)
            assert used or folder in ("benchmarks/", "examples/"), folder
    assert {"cc/cpu/simd/simd.h", "cuda/thread/unit.cuh"} <= set(PRODUCT)


def test_headers_are_guarded_by_their_path():
    for name in CPP:
        if name.startswith(("cc/", "cuda/", "tools/")) and name.endswith(("h", "cuh")):
            path = re.sub(r"[/.]", "_", name.removeprefix("cc/")).upper()
            guard = f"#ifndef STATPOOL_{path}_\n#define STATPOOL_{path}_\n"
            assert guard in text_of(name), name


def test_nothing_trades_correctness_for_speed():
    build = [n for n in NAMES if n.endswith("CMakeLists.txt")]
    build = [n for n in build if n.startswith(("CMakeLists", "cuda/", "cc/"))]
    flags = "".join(re.sub(r"#.*", "", text_of(name)) for name in build)
    assert not re.search("-ffast-math|-Ofast|use_fast_math", flags)
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
    callers = "cuda/", "cc/tf/gpu_", "cc/xla/handlers_gpu.cc"
    assert all(any(n.startswith(caller) for n in PRODUCT) for caller in callers)
    for name in PRODUCT:
        if name.startswith(callers):
            text = re.sub(r"//.*", "", text_of(name))
            assert not UNWANTED_IN_CUDA.search(text), name
            for configuration in LAUNCH.findall(text):
                assert configuration.endswith(", stream"), f"{name}: {configuration}"
                launches += 1
    assert launches >= 4  # forward, join, gradient, lengths


# ---------------------------------------------------------------------- Python

PACKAGE, SUPPORT = "python/statpool", "tests/support"
# statpool <- tests/support <- tests/*, benchmarks; statpool <- examples. Each folder
# uses itself too; of tests/ that is the folder in it.
MAY_IMPORT = {
    "python/": (),
    "setup.py": (),
    "tests/": (PACKAGE, SUPPORT, "tests/programs"),
    "tests/support/": (PACKAGE,),
    "tests/programs/": (PACKAGE, SUPPORT),
    "tests/benchmarks/": (PACKAGE, SUPPORT, "tests/programs", "benchmarks"),
    "tests/examples/": (PACKAGE, SUPPORT, "tests/programs", "examples"),
    "tests/project/": (PACKAGE, SUPPORT, "tests/programs", "tools"),
    "benchmarks/": (PACKAGE, SUPPORT),
    "examples/": (PACKAGE,),
    "tools/": (PACKAGE,),
}
# What edits the list of folders that modules are found in.
PATH_EDITED = re.compile(
    r"\bsys\.path(\.(append|extend|insert|remove|pop|clear)|\[[^\]]*\] *=|"
    r" *[+]?=)(?!=)|add[s]itedir|syspath_[p]repend"
)


def imports_of(name):
    """The dotted names that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(text_of(name))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = name.split("/")[: -node.level] if node.level else []
            parts = [*package, *filter(None, [node.module])]
            yield from (".".join([*parts, alias.name]) for alias in node.names)


def top_of(name):
    """The file or folder that a program finds where it looks for modules."""
    parts = 2 if name.startswith(("python/", "examples/", "tools/")) else 1
    return "/".join(name.split("/")[:parts]).removesuffix(".py")


TOPS = {top.rpartition("/")[2]: top for top in map(top_of, PYTHON)}
TOPS |= {"examples": "examples", "tools": "tools"}


def path_in_project(module):
    """Where the project has what is imported, or nothing if it is another's."""
    top, *rest = module.split(".")
    return "/".join([TOPS[top], *rest]) if top in TOPS else ""


@pytest.mark.parametrize("name", PYTHON)
def test_no_wing_uses_another(name):
    parts = name.split("/")
    own = "/".join(parts[: 2 if parts[0] in ("tests", "python") else 1])
    allowed = {*of_longest_prefix(MAY_IMPORT, name), own}
    for module in imports_of(name):
        assert module != "sys.path"
        if path := path_in_project(module):
            assert any(f"{path}/".startswith(f"{a}/") for a in allowed), module
            assert "/test_" not in path, f"{module} is a test"
    assert not PATH_EDITED.search(text_of(name))


def test_the_rule_of_the_wings_sees_imports():
    assert path_in_project("statpool.numpy") == "python/statpool/numpy"
    assert path_in_project("tests.support.cases") == "tests/support/cases"
    assert path_in_project("numpy.random") == ""
    found = {path_in_project(m) for n in PYTHON for m in imports_of(n)}
    for wing in (PACKAGE, SUPPORT, "tests/programs", "benchmarks", "examples"):
        assert any(path.startswith(f"{wing}/") for path in found), wing
    for edit in (".insert(0, x)", " += [x]", "[:0] = [x]", " = [x]"):
        assert PATH_EDITED.search(f"sys.path{edit}"), edit
    assert not PATH_EDITED.search("if sys.path == [x for x in sys.path]:")


def test_nothing_includes_or_imports_in_a_circle():
    graph = {name: set(INCLUDE.findall(text_of(name))) for name in PRODUCT}
    assert "cc/core/statistics.h" in graph["cc/core/gradient.h"]
    for name in PYTHON:
        found = {f"{path_in_project(module)}.py" for module in imports_of(name)}
        found |= {f"{path.rpartition('/')[0]}.py" for path in found}
        graph[name] = found & set(PYTHON) - {name}
    assert f"{PACKAGE}/composite.py" in graph[f"{PACKAGE}/ops.py"]
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError


# ------------------------------------------------------------------- all files


def test_each_version_is_stated_once():
    version = text_of("VERSION").strip()
    assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    assert f"## {version}" in text_of("CHANGELOG.md")
    pins = re.findall(r"^([\w-]+)==", text_of("constraints.txt"), re.MULTILINE)
    assert len(pins) == len(set(pins))


# Paths of one machine, and what a clone doesn't have: a folder beside the checkout.
ELSEWHERE = re.compile(
    r"(?<![\w./-])/(?:home|root|Users|work)/\w"
    r'|\.\./shared\b|\bshared/(\w+\.md|ptxsim|sassmodel)|/ "shared"'
)


def test_nothing_refers_to_what_a_clone_lacks():
    for name in names():
        if not name.endswith((".png", ".ogg", ".mp3", ".flac")) and name != THIS:
            assert not ELSEWHERE.search(text_of(name)), name


def test_no_file_is_longer_than_300_lines():
    kinds = ".py", ".h", ".cc", ".cu", ".cuh", ".md", ".sh"
    lengths = {n: text_of(n).count("\n") for n in NAMES if n.endswith(kinds)}
    assert {name: lines for name, lines in lengths.items() if lines > 300} == {}
