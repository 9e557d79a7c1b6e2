"""Cubins: finds them in files, and what they say of their kernels but for the code."""

import collections
import importlib.util
import os
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

_CUDA_MACHINE = 190  # of an ELF file
# Attributes of the sections .nv.info.
_MAX_THREADS, _REQUIRED_THREADS, _REGISTERS, _BRANCH_TARGETS = 0x05, 0x10, 0x2F, 0x34


def find_tool(name: str, folder: str | None = None) -> str:
    """Finds a tool of NVIDIA's.

    Args:
      name: nvdisasm or cuobjdump.
      folder: where to look first, before PATH, CUDA_HOME, and what pip installed for
        this Python.

    Returns:
      The path; the program ends where there is none.
    """
    folders = [folder] if folder else []
    folders += os.environ.get("PATH", "").split(os.pathsep)
    for variable in ("CUDA_HOME", "CUDA_PATH"):
        if variable in os.environ:
            folders.append(os.path.join(os.environ[variable], "bin"))
    spec = importlib.util.find_spec("nvidia")
    for root in spec.submodule_search_locations if spec else []:
        folders += [str(p) for p in Path(root).glob("*/bin")]
    found = shutil.which(name, path=os.pathsep.join(folders))
    if not found:
        sys.exit(
            f"sassmodel: no {name}: put it on PATH, or say --tools FOLDER "
            f"(pip install nvidia-cuda-{name})"
        )
    return found


def arch_of(cubin: str) -> str:
    """Returns the architecture, such as 90; newer cubins have it a byte higher."""
    with open(cubin, "rb") as file:
        head = file.read(64)
    (flags,) = struct.unpack_from("<I", head, 48)
    return str(flags >> 8 & 0xFF if head[8] >= 8 else flags & 0xFF)


def cubins_of(path: str, tools: str | None, scratch: str) -> list[str]:
    """Returns the file itself where it is a cubin, else the cubins in it."""
    with open(path, "rb") as file:
        head = file.read(20)
    machine = struct.unpack_from("<H", head, 18)[0] if len(head) == 20 else None
    if head[:4] == b"\x7fELF" and machine == _CUDA_MACHINE:
        return [path]
    result = subprocess.run(
        [find_tool("cuobjdump", tools), "-xelf", "all", os.path.abspath(path)],
        cwd=scratch,
        capture_output=True,
        text=True,
        check=False,
    )
    cubins = sorted(Path(scratch).glob("*.cubin"))
    if not cubins:
        sys.exit(f"sassmodel: no cubins in {path}: {result.stderr.strip()}")
    return [str(c) for c in cubins]


class _Elf:
    """The sections of an ELF file: (name, header) each."""

    def __init__(self, data: bytes):
        self.data = data
        (table,) = struct.unpack_from("<Q", data, 0x28)
        count, names_at = struct.unpack_from("<HH", data, 0x3C)
        headers = [
            struct.unpack_from("<IIQQQQIIQQ", data, table + 64 * i)
            for i in range(count)
        ]
        names = [self._text(headers[names_at][4] + header[0]) for header in headers]
        self._headers = headers
        self.sections = list(zip(names, headers, strict=True))

    def symbol(self, table: int, index: int) -> str:
        """Returns the name of a symbol in a section of symbols."""
        symbols = self._headers[table]
        (name,) = struct.unpack_from("<I", self.data, symbols[4] + 24 * index)
        return self._text(self._headers[symbols[6]][4] + name)

    def attributes(self, header: tuple) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Yields the attributes of a section .nv.info, and the words of each."""
        at, end = header[4], header[4] + header[5]
        while at + 4 <= end:
            form, attribute, value = struct.unpack_from("<BBH", self.data, at)
            at += 4
            if form != 4:  # the value is where the size would be
                continue
            yield attribute, struct.unpack_from(f"<{value // 4}I", self.data, at)
            at += value

    def _text(self, begin: int) -> str:
        return self.data[begin : self.data.index(b"\0", begin)].decode()


def resources_of(path: str) -> dict[str, dict]:
    """Reads what a cubin says of its kernels.

    Returns:
      For each kernel its registers, static shared memory in bytes, threads (of its
      launch bounds, or 0), and the targets of its indirect branches.
    """
    elf = _Elf(Path(path).read_bytes())
    kernels: dict[str, dict] = collections.defaultdict(
        lambda: {"registers": 0, "shared": 0, "threads": 0, "targets": {}}
    )
    # From 9.0 on a section's size has in it what the system keeps of every block.
    has_reserved = any(name == ".nv.shared.reserved.0" for name, _ in elf.sections)
    reserved = 1024 if has_reserved else 0
    for name, header in elf.sections:
        size, link, info = header[5:8]
        if name.startswith(".text."):
            kernel = kernels[name.removeprefix(".text.")]
            kernel["registers"] = kernel["registers"] or info >> 24
        elif name.startswith(".nv.shared.reserved"):
            continue
        elif name.startswith(".nv.shared."):
            kernels[name.removeprefix(".nv.shared.")]["shared"] = size - reserved
        elif name == ".nv.info":
            for attribute, words in elf.attributes(header):
                if attribute == _REGISTERS:
                    kernels[elf.symbol(link, words[0])]["registers"] = words[1]
        elif name.startswith(".nv.info."):
            _read_info(kernels[name.removeprefix(".nv.info.")], elf.attributes(header))
    return kernels


def _read_info(kernel, attributes):
    for attribute, words in attributes:
        if attribute in (_MAX_THREADS, _REQUIRED_THREADS):
            kernel["threads"] = words[0] * words[1] * words[2]
        elif attribute == _BRANCH_TARGETS:
            while len(words) >= 3:  # offset, unused, count, targets
                kernel["targets"][words[0]] = words[3 : 3 + words[2]]
                words = words[3 + words[2] :]


def demangle(names: list[str]) -> dict[str, str]:
    """Returns readable names by mangled ones, the same where there is no c++filt."""
    tool = shutil.which("c++filt") or shutil.which("cu++filt")
    if not tool or not names:
        return {n: n for n in names}
    result = subprocess.run(
        [tool], input="\n".join(names), capture_output=True, text=True, check=True
    )
    return dict(zip(names, result.stdout.splitlines(), strict=True))


def shorten(name: str) -> str:
    """Leaves out return type, namespaces and parameters."""
    name = re.sub(r"^void ", "", name)
    if "<" in name:
        name = re.sub(r">\([^()]*(\(.*\))*[^()]*\)$", ">", name)
    else:
        name = re.sub(r"\((?!anonymous).*\)$", "", name)
    return re.sub(r"\b\w+::|\(anonymous namespace\)::|\((?:int|bool)\)", "", name)
