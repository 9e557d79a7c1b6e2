"""What the training steps of the engines share."""

import math
import re

FEATURES, KERNEL, CLASSES, RATE = 40, 5, 10, 1e-2

_INSTRUCTION = re.compile(r"^ +(?:ROOT )?%?(\S+) = (.*?) ([a-z][\w-]*)\((.*?)\)", re.M)
_ARRAY = re.compile(r"\b[a-z]+(\d*)\w*\[([\d,]*)\]")  # bf16[2,3], pred[5]
_FREE = {"parameter", "constant", "tuple", "get-tuple-element", "bitcast"}


def bytes_accessed(hlo: str) -> int:
    """Operands and results of the instructions that XLA runs, from its optimised HLO.

    Its own cost analysis counts them too, but knows nothing of a custom call.
    """
    sizes, accessed = {}, 0
    for name, types, opcode, operands in _INSTRUCTION.findall(hlo, hlo.index("ENTRY")):
        sizes[name] = sum(
            int(bits or 8) // 8 * math.prod(map(int, re.findall(r"\d+", axes)))
            for bits, axes in _ARRAY.findall(types)
        )
        if opcode not in _FREE:
            read = re.findall(r"%([^\s,]+)", operands)
            accessed += sizes[name] + sum(sizes.get(operand, 0) for operand in read)
    return accessed
