"""Bytes accessed by a program of XLA, counted in its optimised HLO."""

import math
import re

_INSTRUCTION = re.compile(r"^ +(?:ROOT )?%?(\S+) = (.*?) ([a-z][\w-]*)\((.*?)\)", re.M)
_ARRAY = re.compile(r"\b[a-z]+(\d*)\w*\[([\d,]*)\]")  # bf16[2,3], pred[5]
_FREE = {"parameter", "constant", "tuple", "get-tuple-element", "bitcast"}


def bytes_accessed(text: str) -> int:
    """Operands and results of all instructions of the entry computation.

    XLA's own cost analysis counts them too, but knows nothing of a custom call.
    """
    sizes, accessed = {}, 0
    entry = text[text.index("ENTRY") :]
    for name, arrays, opcode, operands in _INSTRUCTION.findall(entry):
        sizes[name] = sum(_size(*array) for array in _ARRAY.findall(arrays))
        if opcode not in _FREE:
            read = re.findall(r"%([^\s,]+)", operands)
            accessed += sizes[name] + sum(sizes.get(operand, 0) for operand in read)
    return accessed


def _size(bits, axes):
    return int(bits or 8) // 8 * math.prod(map(int, filter(None, axes.split(","))))
