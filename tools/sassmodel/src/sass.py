"""SASS instructions with their control codes, as nvdisasm prints them."""

import dataclasses
import functools
import re
import subprocess

from cubin import find_tool

NO_BARRIER = 7

# The target of a branch among its operands.
TARGET = re.compile(r"`\((\.L\w*)\)")

_INSTRUCTION = re.compile(
    r"^\s+/\*([0-9a-f]{4,})\*/\s+(?:@(!?U?PT?\d*)\s+)?"
    r"([A-Z][\w.]*)\s*([^;]*);\s*/\* (0x[0-9a-f]+) \*/"
)
_SECOND_WORD = re.compile(r"^\s+/\* (0x[0-9a-f]+) \*/")
_LABEL = re.compile(r"^(\.L\w*):")

# Instructions by row of the table of rates; what is not here: see Instruction.row.
_NAMES = {
    "FP32X2": "FADD2 FMUL2 FFMA2",
    "FP32": "FADD FMUL FFMA FADD32I FMUL32I FFMA32I FSWZADD FHADD FHFMA",
    "IMAD": "IMAD IMUL IDP IDP4A",
    "FP64": "DADD DMUL DFMA DSETP DMNMX CLMAD",
    "XU": "F2F I2F F2I FRND MUFU POPC FLO I2I BREV",
    "LSU": "LDG STG LD ST LDS STS LDL STL SHFL LDSM STSM LDGSTS ATOM ATOMG ATOMS "
    "RED REDG MATCH REDUX CREDUX",
    "CTRL": "BRA BRX JMP JMX BSSY BSYNC BREAK EXIT CALL RET WARPSYNC NOP YIELD BMOV "
    "BAR DEPBAR LDGDEPBAR MEMBAR ERRBAR CCTL NANOSLEEP RPCMOV BPT KILL",
    "UNI": "LDC S2R CS2R R2UR LDCU S2UR",
    "MINMAX": "FMNMX FMNMX3",
    "IADD": "IADD VIADD MOV MOV32I",
}
_ROWS = {name: row for row, names in _NAMES.items() for name in names.split()}
_CONVERSIONS = ("F2F", "I2F", "F2I", "FRND")


@dataclasses.dataclass
class Instruction:
    """An instruction, and what its control code makes the hardware wait for."""

    address: int
    guard: str | None
    opcode: str
    operands: str
    stall: int = 1
    write_barrier: int = NO_BARRIER
    read_barrier: int = NO_BARRIER
    wait_mask: int = 0

    def set_control(self, word: int) -> None:
        """Takes the control code, in the second of the two words of an instruction."""
        self.stall = word >> 41 & 15
        self.write_barrier, self.read_barrier = word >> 46 & 7, word >> 49 & 7
        self.wait_mask = word >> 52 & 63

    @functools.cached_property
    def name(self) -> str:
        """The opcode without modifiers."""
        return self.opcode.split(".")[0]

    @property
    def never(self) -> bool:
        """Whether its guard lets it never run."""
        return self.guard in ("!PT", "!UPT")

    @property
    def is_guarded(self) -> bool:
        """Whether a predicate decides if it runs."""
        return self.guard not in (None, "PT", "UPT")

    @property
    def width(self) -> int:
        """Bytes per thread of an access to memory."""
        for suffix, width in ((".256", 32), (".128", 16), (".64", 8)):
            if suffix in self.opcode:
                return width
        for bits, width in (("16", 2), ("8", 1)):
            if re.search(rf"\.[US]{bits}\b", self.opcode):
                return width
        return 4

    @property
    def row(self) -> str:
        """The row of the table of rates."""
        if re.match(r"H(ADD|MUL|FMA)2", self.name):
            return "HALFMMA" if ".MMA" in self.opcode else "HALF"
        row = _ROWS.get(self.name)
        if row is None:
            return "UNI" if self.name.startswith("U") else "ALU"
        if row == "IMAD" and (".WIDE" in self.opcode or ".HI" in self.opcode):
            return "IMADW"
        if self.name in _CONVERSIONS and "64" in self.opcode:
            return "F2F64"
        return row


@dataclasses.dataclass
class Kernel:
    """The code of a kernel, and the index of the instruction behind each label."""

    name: str
    code: list[Instruction] = dataclasses.field(default_factory=list)
    labels: dict[str, int] = dataclasses.field(default_factory=dict)

    @functools.cached_property
    def index_at(self) -> dict[int, int]:
        """Indices of the instructions by address."""
        return {x.address: k for k, x in enumerate(self.code)}


def disassemble(cubin: str, tools: str | None) -> dict[str, Kernel]:
    """Returns the kernels of a cubin by name."""
    text = subprocess.run(
        [find_tool("nvdisasm", tools), "-c", "-hex", "--no-dataflow", cubin],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    kernels: dict[str, Kernel] = {}
    kernel = None
    for line in text.splitlines():
        section = re.match(r"^\.text\.(\S+):$", line)
        if section:
            kernel = kernels.setdefault(section[1], Kernel(section[1]))
        elif line.startswith("//---"):
            kernel = None
        elif kernel is None:
            continue
        elif label := _LABEL.match(line):
            kernel.labels[label[1]] = len(kernel.code)
        elif found := _INSTRUCTION.match(line):
            kernel.code.append(Instruction(int(found[1], 16), *found.group(2, 3, 4)))
        elif (word := _SECOND_WORD.match(line)) and kernel.code:
            kernel.code[-1].set_control(int(word[1], 16))
    return kernels
