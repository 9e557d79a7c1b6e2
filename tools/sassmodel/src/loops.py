"""The ways round the loops of a kernel that load from global memory."""

import collections
import dataclasses
import itertools
import re
from collections.abc import Iterator

from sass import TARGET, Kernel


@dataclasses.dataclass
class Loop:
    """A way once round a loop.

    Of all ways the one with the most loads of the width asked for, then the most
    stores of it, then the fewest instructions.
    """

    path: list[int]  # instructions, by index
    loads: list[int]  # those of them that count as loads
    guarded: int  # loads that a predicate may leave out

    @property
    def unguarded(self) -> int:
        """The number of loads that count."""
        return len(self.loads)


def loops_of(
    kernel: Kernel, targets: dict, width: int, accept_guarded: bool
) -> list[Loop]:
    """Finds the ways round the loops that load.

    Args:
      kernel: its code.
      targets: of its indirect branches, by address.
      width: of the loads, in bytes.
      accept_guarded: whether loads under a predicate count as loads.

    Returns:
      The ways, the one with the most loads per instruction first; those that load
      asynchronously before all others.
    """
    if not kernel.code:
        return []
    accesses = _Accesses(kernel, width, accept_guarded)
    graph = Graph(kernel, targets)
    natural = graph.natural_loops()
    innermost = {}
    for header, (body, _) in sorted(natural.items(), key=lambda item: -len(item[1][0])):
        for block in body:
            innermost[block] = header
    found = []
    for header, (body, latches) in natural.items():
        own = {block for block in body if innermost[block] == header}
        instructions = [k for block in own for k in graph.blocks[block]]
        if any(map(accesses.is_asynchronous, instructions)) and not any(
            map(accesses.is_wait, instructions)
        ):
            continue  # What it asks for is ahead of an inner loop, which waits for it.
        region = _Region(graph, accesses, header, body, latches, own)
        for way in region.ways():
            path = [k for b in way for k in graph.blocks[b]]
            own_path = [k for b in way if b in own for k in graph.blocks[b]]
            loads = [k for k in own_path if accesses.is_load(k)]
            guarded = sum(accesses.is_guarded_load(k) for k in own_path)
            found.append(Loop(path, loads, guarded))

    def order(way):
        is_asynchronous = any(map(accesses.is_asynchronous, way.loads))
        return not is_asynchronous, len(way.path) / way.unguarded, way.path[0]

    return sorted(found, key=order)


class _Accesses:
    """Which instructions of a kernel load and store what is asked for."""

    def __init__(self, kernel, width, accept_guarded):
        self._code = kernel.code
        self._width = width
        self._accept_guarded = accept_guarded

    def is_load(self, k):
        x = self._code[k]
        return self._loads(x) and (self._accept_guarded or not x.is_guarded)

    def is_guarded_load(self, k):
        return self._loads(self._code[k]) and self._code[k].is_guarded

    def is_asynchronous(self, k):
        return self._loads(self._code[k]) and self._code[k].name == "LDGSTS"

    def is_wait(self, k):
        return self._code[k].name == "DEPBAR"

    def is_store(self, k):
        x = self._code[k]
        return x.name in ("STG", "ST") and x.width == self._width

    def _loads(self, x):
        is_global = x.name in ("LDG", "LD", "LDGSTS")
        return is_global and x.width == self._width and not x.never


class Graph:
    """Basic blocks, dominators and natural loops of a kernel.

    Attributes:
      blocks: ranges of instructions.
      successors: of each block.
      order: the blocks that can be reached, in reverse postorder.
      rank: place in that order, by block.
      predecessors: of each block that can be reached.
    """

    def __init__(self, kernel: Kernel, targets: dict):
        size = len(kernel.code)
        steps = [_successors_of(kernel, targets, k) for k in range(size)]
        starts = {0}
        for k, following in enumerate(steps):
            if following != [k + 1]:
                starts.update(following)
                starts.add(k + 1)
        bounds = [*sorted(starts - {size}), size]
        self.blocks = [range(a, b) for a, b in itertools.pairwise(bounds)]
        block_at = {b.start: i for i, b in enumerate(self.blocks)}
        self.successors = [
            sorted({block_at[s] for s in steps[b[-1]]}) for b in self.blocks
        ]
        self.order = self._reverse_postorder()
        self.rank = {b: i for i, b in enumerate(self.order)}
        self.predecessors = collections.defaultdict(list)
        for block in self.order:
            for s in self.successors[block]:
                self.predecessors[s].append(block)
        self._up = self._dominators()

    def dominates(self, a: int, b: int) -> bool:
        """Whether every way to block b passes block a."""
        while self.rank[b] > self.rank[a]:
            b = self._up[b]
        return a == b

    def natural_loops(self) -> dict[int, tuple[set[int], list[int]]]:
        """Returns, by header, the blocks of a loop and those of them that jump back."""
        loops = {}
        for block in self.order:
            for header in self.successors[block]:
                goes_back = self.rank[header] <= self.rank[block]
                if not goes_back or not self.dominates(header, block):
                    continue
                body, latches = loops.setdefault(header, ({header}, []))
                latches.append(block)
                stack = [block]
                while stack:
                    b = stack.pop()
                    if b not in body:
                        body.add(b)
                        stack += self.predecessors[b]
        return loops

    def _reverse_postorder(self):
        seen, postorder, stack = {0}, [], [(0, iter(self.successors[0]))]
        while stack:
            block, following = stack[-1]
            unseen = next((n for n in following if n not in seen), None)
            if unseen is None:
                postorder.append(block)
                stack.pop()
            else:
                seen.add(unseen)
                stack.append((unseen, iter(self.successors[unseen])))
        return postorder[::-1]

    def _dominators(self):
        """The immediate dominator of each block, by iteration to a fixed point."""
        up = {0: 0}

        def meet(a, b):
            while a != b:
                if self.rank[a] > self.rank[b]:
                    a = up[a]
                else:
                    b = up[b]
            return a

        changed = True
        while changed:
            changed = False
            for block in self.order[1:]:
                best = None
                for p in self.predecessors[block]:
                    if p in up:
                        best = p if best is None else meet(best, p)
                if up.get(block) != best:
                    up[block] = best
                    changed = True
        return up


def _successors_of(kernel, targets, k):
    """Where instruction k may go next.

    (BSYNC is always right before the target of its BSSY.)
    """
    x = kernel.code[k]
    following = [k + 1] if k + 1 < len(kernel.code) else []
    if x.never:
        return following
    if x.name in ("BRA", "JMP"):
        label = TARGET.search(x.operands)
        if not label:
            return following
        has_condition = (
            x.is_guarded
            or re.match(r"!?U?P\d", x.operands)
            or re.search(r"\.(DIV|CONV|U\.ANY)", x.opcode)
        )
        return (following if has_condition else []) + [kernel.labels[label[1]]]
    if x.name in ("BRX", "BRXU", "JMX", "JMXU"):
        addresses = targets.get(x.address, ())
        return [kernel.index_at[a] for a in addresses if a in kernel.index_at]
    if x.name in ("EXIT", "RET", "KILL"):
        return following if x.is_guarded else []
    return following


class _Region:
    """A natural loop, and what its own blocks, those of no inner loop, move."""

    def __init__(self, graph, accesses, header, body, latches, own):
        self._graph = graph
        self._header = header
        self._latches = latches
        self._order = sorted(body, key=graph.rank.get)
        self._body = body
        blocks = graph.blocks
        self._loads = {b: sum(map(accesses.is_load, blocks[b])) for b in own}
        self._stores = {b: sum(map(accesses.is_store, blocks[b])) for b in own}

    def ways(self) -> Iterator[list[int]]:
        """Yields ways round the loop, until each of its own loads is on one of them."""
        missing = {b for b, loads in self._loads.items() if loads}
        while missing:
            # Through the block that is missing yet and has the most loads.
            through = max(missing, key=lambda b: (self._loads[b], -self._graph.rank[b]))
            way = self._longest(self._header, self._latches)
            if through not in (way or ()):
                way = self._way_through(through)
            missing.discard(through)
            if way is not None:
                missing -= set(way)
                yield way

    def _way_through(self, block):
        first = self._longest(self._header, [block])
        second = self._longest(block, self._latches)
        return first + second[1:] if first and second else None

    def _longest(self, begin, ends):
        """Blocks between two: most loads, then most stores, then fewest instructions.

        Inner loops are passed once: edges that go back are left out.
        """
        graph = self._graph
        best, came = {begin: self._worth(begin)}, {}
        for b in self._order:
            if b not in best:
                continue
            for s in graph.successors[b]:
                if s in self._body and graph.rank[s] > graph.rank[b]:
                    value = tuple(map(sum, zip(best[b], self._worth(s), strict=True)))
                    if s not in best or value > best[s]:
                        best[s], came[s] = value, b
        ends = [e for e in ends if e in best]
        if not ends:
            return None
        way = [max(ends, key=best.get)]
        while way[-1] != begin:
            way.append(came[way[-1]])
        return way[::-1]

    def _worth(self, block):
        instructions = len(self._graph.blocks[block])
        return self._loads.get(block, 0), self._stores.get(block, 0), -instructions
