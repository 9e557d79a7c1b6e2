"""The tables of machines.txt, and how many warps fit on a multiprocessor."""

import collections
import dataclasses
from pathlib import Path

WARP = 32

_TABLES = Path(__file__).with_name("machines.txt")
_ARCHS = ("70", "75", "80", "86", "89", "90", "100", "103", "120")


@dataclasses.dataclass(frozen=True)
class Card:
    """A card, and what each of its multiprocessors gets of its memory."""

    arch: str
    sms: float
    ghz: float
    gbs: float
    idle: float  # clocks of latency when nothing else runs
    kib: float  # in flight on an SM, to fill DRAM

    @property
    def need(self) -> float:
        """What one SM gets if all ask at once, in bytes per clock."""
        return self.gbs / self.sms / self.ghz

    @property
    def loaded(self) -> float:
        """Clocks of latency when DRAM is full, by Little's law."""
        return max(self.idle, self.kib * 1024 / self.need)

    def at_clock(self, scale: float) -> "Card":
        """Returns the same card with another clock, and the same memory."""
        return dataclasses.replace(self, ghz=self.ghz * scale, idle=self.idle * scale)


@dataclasses.dataclass(frozen=True)
class Multiprocessor:
    """What limits the blocks on a multiprocessor."""

    warps: int
    blocks: int
    shared_kib: int
    reserved: int  # bytes of shared memory the system keeps of every block
    unit: int  # bytes in which shared memory is handed out


class Machines:
    """The tables of src/machines.txt, without the letters of their sources.

    Attributes:
      class_of: the class that a row of the table of rates is counted in.
      rate: lanes per clock by row and architecture.
      pipe: who does it, by row and architecture.
      latency: clocks by row.
      limit: of a multiprocessor, by name.
      sm: a Multiprocessor by architecture.
      cards: a Card by name.
    """

    def __init__(self):
        sections = _sections(_TABLES.read_text())
        rates = sections["rate"]
        self.class_of = {row[0]: row[1] for row in rates}
        self.rate = {
            (row[0], arch): _number(cell)
            for row in rates
            for arch, cell in zip(_ARCHS, row[2:], strict=True)
        }
        self.pipe = {
            (row[0], arch): cell.rsplit(".", 1)[0]
            for row in sections["pipe"]
            for arch, cell in zip(_ARCHS, row[1:], strict=True)
        }
        self.latency = {row[0]: int(_number(row[1])) for row in sections["latency"]}
        self.limit = {row[0]: _number(row[1]) for row in sections["limit"]}
        self.sm = {
            row[0]: Multiprocessor(*(int(_number(cell)) for cell in row[1:]))
            for row in sections["sm"]
        }
        self.cards = {
            row[0]: Card(row[1], *(_number(cell) for cell in row[2:]))
            for row in sections["card"]
        }

    def model_arch(self, arch: str) -> str | None:
        """Returns the architecture of the tables that stands for that of a cubin."""
        return newest_that_runs(self.sm, arch)


def newest_that_runs(archs, on: str) -> str | None:
    """Returns the newest of architectures whose code one of the same family runs."""
    family = [a for a in archs if a[:-1] == on[:-1] and int(a) <= int(on)]
    return max(family, key=int) if family else None


def occupancy(
    sm: Multiprocessor, registers: int, shared: int, threads: int
) -> tuple[int, str]:
    """Returns how many warps fit on a multiprocessor, and what keeps out more.

    Args:
      sm: the multiprocessor.
      registers: of a thread.
      shared: bytes of shared memory of a block.
      threads: of a block.
    """
    block = -(-threads // WARP)
    per_warp = -(-max(registers, 1) * WARP // 256) * 256
    shared_block = -(-(shared + sm.reserved) // sm.unit) * sm.unit
    fits = {
        "warps": sm.warps // block,
        "blocks": sm.blocks,
        "registers": 4 * (16384 // per_warp) // block,
    }
    if shared_block:
        fits["shared"] = sm.shared_kib * 1024 // shared_block
    limit = min(fits, key=fits.get)
    return fits[limit] * block, limit


def _sections(text):
    """Cells of the rows of each section, without comments."""
    sections, section = collections.defaultdict(list), None
    for line in text.splitlines():
        if line.startswith("["):
            section = line[1 : line.index("]")]
            continue
        cells = line.split("#")[0].split()
        if cells and section != "source":
            sections[section].append(cells)
    return sections


def _number(cell):
    """A number without the letter of its source."""
    return float(cell.rstrip("?abcdefghijklmnopqrstuvwxyz"))
