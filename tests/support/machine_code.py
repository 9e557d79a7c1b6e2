"""What nvcc made of the kernels, read from the native library with NVIDIA's own tools.

cuobjdump and nvdisasm are those of PyPI if they are installed (nvidia-cuda-cuobjdump,
nvidia-cuda-nvdisasm), else those on PATH.
"""

import dataclasses
import os
import re
import shutil
import subprocess
import sysconfig
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

LIBRARY = Path(__file__).parents[2] / "python" / "statpool" / "libstatpool_kernels.so"

_KERNEL = re.compile(
    r"GlobalStats(?P<pass_name>Forward|Gradient|Join)Kernel"
    r"I(?P<dtype>N(?:\dS?_?)?\w*?(?:BFloat16|Float16)E|f|d)(?:Li(?P<width>\d+)E)?(?:Lb(?P<is_one_channel>[01])E)?(?P<rest>\w*)"
)
_SELECTION = re.compile(r"\d(?P<name>(?:[A-Z][a-z]+)*?)(?:Sums|GradientTerms)E")
_DTYPES = {"f": "float32", "d": "float64"}
_USAGE = re.compile(
    r"Function (?P<symbol>\w+):\s+REG:(?P<registers>\d+) STACK:(?P<stack>\d+) "
    r"SHARED:(?P<shared>\d+) LOCAL:(?P<local>\d+)"
)
_INSTRUCTION = re.compile(
    r"/\*[0-9a-f]{4,}\*/\s+(?P<guard>@!?U?P\w+\s+)?(?P<opcode>\S+)\s*(?P<operands>[^;]*);"
    r"|^(?P<label>\.L_x?_?\w+):",
    re.MULTILINE,
)
_REGISTER = re.compile(r"\bR(\d+)\b")
# Threads and KiB of shared memory of a multiprocessor, from the CUDA Programming Guide,
# which lacks sm_88 (as sm_86 here) and sm_110 (as sm_100 with fewer threads).
_MULTIPROCESSORS = {
    "sm_70": (2048, 96),
    "sm_72": (2048, 96),
    "sm_75": (1024, 64),
    "sm_80": (2048, 164),
    "sm_86": (1536, 100),
    "sm_87": (1536, 164),
    "sm_88": (1536, 100),
    "sm_89": (1536, 100),
    "sm_90": (2048, 228),
    "sm_100": (2048, 228),
    "sm_103": (2048, 228),
    "sm_110": (1536, 228),
    "sm_120": (1536, 100),
    "sm_121": (1536, 100),
}


class MissingToolError(Exception):
    """cuobjdump or nvdisasm is not installed."""


@dataclasses.dataclass(frozen=True, order=True)
class Kernel:
    """Which instance of a kernel it is."""

    pass_name: str  # Forward, Join, Gradient
    dtype: str
    vector_width: int  # elements a thread loads at once
    statistics: str  # known when compiled, such as "default" and "mean+std", or "any"
    is_one_channel: bool = False  # all items of a vector are steps of one channel

    @property
    def element_bytes(self) -> int:
        """Bytes of an element of x."""
        return {"float32": 4, "float64": 8}.get(self.dtype, 2)

    @property
    def is_wide(self) -> bool:
        """Whether a thread moves 16 bytes at a time."""
        return self.vector_width * self.element_bytes == 16

    @property
    def block_threads(self) -> int:
        """Threads of a block at most, as cuda/launch_plan.h has it."""
        return 128 if self.element_bytes == 2 and self.pass_name != "Join" else 256

    @property
    def promised_blocks(self) -> int:
        """Blocks of so many threads that have registers: cuda/launch_plan.h."""
        is_known = self.statistics != "any"
        is_short = self.element_bytes == 2
        if self.pass_name == "Join":
            return 1
        if self.pass_name == "Gradient":
            return (1 + is_short) * (1 + is_known)
        return 1 + is_short + is_known


@dataclasses.dataclass(frozen=True)
class Usage:
    """What a thread (registers, stack, local) and a block (shared) take."""

    registers: int
    stack: int
    local: int
    shared: int

    def blocks(self, architecture: str, threads: int, dynamic: int = 0) -> int:
        """Returns how many blocks a multiprocessor holds at a time.

        Registers are handed out to warps, 256 at a time. `dynamic` is the shared memory
        that a launch asks for.
        """
        most_threads, shared_kib = _MULTIPROCESSORS[architecture]
        registers = -(-self.registers // 8) * 8 * 32
        limits = [most_threads // threads, 65536 // registers // (threads // 32)]
        # By the system for each block; from sm_90 on tools count it as the kernel's.
        number = int(architecture.removeprefix("sm_"))
        reserved = (
            1024 if 80 <= number < 90 or (number >= 90 and not self.shared) else 0
        )
        if shared := self.shared + dynamic:
            limits.append(shared_kib * 1024 // (shared + reserved))
        return min(limits)


@dataclasses.dataclass(frozen=True)
class Code:
    """What the instructions of a kernel show."""

    wide_loads: int  # 16 bytes of global memory
    wide_stores: int
    in_flight: int  # 16-byte loads before a first result is used, at most
    local_accesses: int  # spills too


_NO_REGISTER = -1


def kernel_of(symbol: str) -> Kernel | None:
    """Returns the kernel of a mangled name, None if it isn't one of ours."""
    found = _KERNEL.search(symbol)
    if not found:
        return None
    dtype = found["dtype"]
    if dtype not in _DTYPES:
        dtype = "bfloat16" if "BFloat16" in dtype else "float16"
    return Kernel(
        pass_name=found["pass_name"],
        dtype=_DTYPES.get(dtype, dtype),
        vector_width=int(found["width"] or 1),
        statistics=_statistics_of(found["rest"]),
        is_one_channel=found["is_one_channel"] == "1",
    )


def _statistics_of(mangled: str) -> str:
    """Returns the name that core/statistics.h has for a selection, 'MeanStdSums'."""
    found = _SELECTION.search(mangled)
    if not found or not found["name"] or found["name"] == "Needed":
        return "any"
    return re.sub(r"\B(?=[A-Z])", "+", found["name"]).lower()


def parse_usage(text: str) -> dict[Kernel, Usage]:
    """Reads the output of cuobjdump -res-usage."""
    usages = {}
    for found in _USAGE.finditer(text):
        kernel = kernel_of(found["symbol"])
        if kernel:
            names = (field.name for field in dataclasses.fields(Usage))
            usages[kernel] = Usage(**{name: int(found[name]) for name in names})
    return usages


def parse_code(text: str) -> Code:
    """Reads the instructions of one kernel, as nvdisasm prints them.

    Loads are followed in the order of the code. A branch over an arm without 16-byte
    loads is taken, because that arm is for steps of which some are masked.
    """
    steps = list(_INSTRUCTION.finditer(text))
    labels = {step["label"]: i for i, step in enumerate(steps) if step["label"]}
    wide = [i for i, step in enumerate(steps) if _is_wide(step, "LDG", "LDGSTS")]
    stores = sum(_is_wide(step, "STG") for step in steps)
    local = sum((step["opcode"] or "").startswith(("LDL", "STL")) for step in steps)
    return Code(len(wide), stores, _loads_in_flight(steps, labels, wide), local)


def _is_wide(step: re.Match, *kinds: str) -> bool:
    kind, *modifiers = (step["opcode"] or "").split(".")
    return kind in kinds and "128" in modifiers


def _loads_in_flight(steps, labels, wide) -> int:
    """The most 16-byte loads before an instruction touches a register of one of them.

    Those to shared memory have no registers, and end where the code waits for them.
    """
    most = i = 0
    flying: list[int] = []  # registers that are yet to be filled, four a load
    while i < len(steps):
        step = steps[i]
        i += 1
        if step["label"]:
            continue
        registers = [int(number) for number in _REGISTER.findall(step["operands"])]
        is_load = _is_wide(step, "LDG")
        waits = step["opcode"].startswith("DEPBAR")
        if waits or any(number in flying for number in registers[is_load:]):
            flying = []
        if is_load:
            flying += range(registers[0], registers[0] + 4)
        if _is_wide(step, "LDGSTS"):
            flying += [_NO_REGISTER] * 4
        most = max(most, len(flying) // 4)
        if step["guard"] or not step["opcode"].startswith(("BRA", "EXIT", "RET")):
            continue
        target = re.match(r"`\((\S+)\)", step["operands"])
        end = labels.get(target[1], 0) if target else 0
        if end <= i and not _is_conditional(step):
            flying = []  # What follows is reached from elsewhere.
        elif target and not any(i <= load < end for load in wide):
            i = end
    return most


def _is_conditional(step: re.Match) -> bool:
    return re.match(r"!?U?P\w", step["operands"]) is not None


def find_tool(name: str) -> str:
    """Returns the path of cuobjdump or nvdisasm.

    Raises:
      MissingToolError: if it is neither on PATH nor installed from PyPI.
    """
    for folder in Path(sysconfig.get_path("platlib"), "nvidia").glob("cu*/bin"):
        if os.access(folder / name, os.X_OK):
            return str(folder / name)
    found = shutil.which(name)
    if not found:
        raise MissingToolError(
            f"{name} is needed, and neither on PATH nor in this environment; "
            f"install it with `pip install nvidia-cuda-{name}`"
        )
    return found


def usages_of(library: Path = LIBRARY) -> dict[str, dict[Kernel, Usage]]:
    """Returns what each kernel takes, for each architecture such as sm_90."""
    usages: dict[str, dict[Kernel, Usage]] = {}
    printed = run_tool("cuobjdump", "-res-usage", library)
    for part in printed.split("Fatbin elf code:")[1:]:
        architecture = re.search(r"arch = (sm_\w+)", part)[1]
        usages.setdefault(architecture, {}).update(parse_usage(part))
    return usages


def codes_of(library: Path = LIBRARY) -> dict[str, dict[Kernel, Code]]:
    """Returns what the instructions of each kernel show, for each architecture."""
    with tempfile.TemporaryDirectory() as folder:
        run_tool("cuobjdump", "-xelf", "all", library.resolve(), cwd=folder)
        binaries = sorted(Path(folder).glob("*.cubin"))
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            parsed = list(pool.map(_code_of_binary, binaries))
    codes: dict[str, dict[Kernel, Code]] = {}
    for binary, kernels in zip(binaries, parsed, strict=True):
        codes.setdefault(binary.suffixes[-2][1:], {}).update(kernels)
    return codes


def _code_of_binary(binary: Path) -> dict[Kernel, Code]:
    text = run_tool("nvdisasm", "--no-dataflow", "-c", binary)
    sections = re.split(r"^\.text\.(\w+):$", text, flags=re.MULTILINE)
    named = zip(sections[1::2], sections[2::2], strict=True)
    return {k: parse_code(body) for name, body in named if (k := kernel_of(name))}


def run_tool(tool: str, *arguments, cwd=None) -> str:
    """Returns what cuobjdump or nvdisasm prints."""
    command = [find_tool(tool), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)
    if done.returncode:
        raise RuntimeError(f"{tool} failed: {done.stderr.strip()}")
    return done.stdout
