"""Counts that were accepted, by compiler: tests compare new counts with them.

A commit that is meant to change them also accepts the new ones, and its message says
what they buy.
"""

import json
import re

from tests.support.native_build import UnavailableError


class Accepted:
    """A file of accepted counts.

    Attributes:
      path: The file, JSON with a line for each name.
      command: What writes it again.
    """

    def __init__(self, path, command):
        self.path = path
        self.command = command

    def counts(self, compiler) -> dict:
        """Returns what was accepted for a compiler.

        Raises:
          UnavailableError: if nothing was.
        """
        everything = json.loads(self.path.read_text())
        if compiler not in everything:
            raise UnavailableError(
                f"{self.path.name} must have counts for {compiler}, has them for "
                f"{', '.join(everything)}: `{self.command}` on a commit that is known "
                "to be good"
            )
        return everything[compiler]

    def write(self, compiler, counts) -> None:
        """Accepts counts; those of other compilers stay."""
        everything = json.loads(self.path.read_text()) if self.path.exists() else {}
        everything[compiler] = counts
        text = json.dumps(everything, indent=1)
        a_line_each = re.sub(r"\n( {3,}|  (?=[\]}]))", " ", text)
        self.path.write_text(a_line_each + "\n")

    def check(self, expected, counts, tolerance) -> None:
        """Asserts that counts by name are those expected, but for a share of them."""
        assert counts.keys() == expected.keys()
        changed = [
            f"{name}: {expected[name]} -> {count}"
            for name, count in counts.items()
            if abs(count - expected[name]) > tolerance * expected[name]
        ]
        advice = f"`{self.command}` accepts what is meant: CONTRIBUTING.md"
        assert not changed, "\n".join([*changed, advice])


def name_of(shape, dtype, data_format, statistics, *more) -> str:
    """Returns the name of a call, as counts are listed by it."""
    sizes = "x".join(map(str, shape))
    return " ".join([sizes, dtype, data_format, "+".join(statistics), *more])
