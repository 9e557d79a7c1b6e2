"""Programs run as steps: each writes a log, and gets a line in a table."""

import re
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
_SHOWN_OF_A_FAILURE = 30  # lines


class Steps:
    """What was run so far.

    Attributes:
        output: Folder of the logs.
        word: What the table calls a program that ended well.
        lines: Those of the table.
        all_passed: Whether nothing has failed until now.
    """

    def __init__(self, output: Path, environment: dict[str, str], word="passed"):
        output.mkdir(parents=True, exist_ok=True)
        self.output = output
        self.word = word
        self._environment = environment
        self.path = environment["PATH"]
        self.lines = []
        self.all_passed = True

    def run(self, name, *command, never="") -> bool:
        """Runs a program to its end; returns whether it passed.

        Args:
            name: What the table calls it.
            *command: The program and its arguments.
            never: A regular expression; a log with a match is no pass, whatever the
                program thinks of itself.
        """
        log = self.output / f"{name.replace(' ', '-')}.log"
        start = time.monotonic()
        with log.open("w") as out:
            wrong = self._run(command, out)
        seconds = time.monotonic() - start
        said = [line for line in log.read_text().splitlines() if line.strip()]
        told = [line for line in said if never and re.search(never, line)]
        if told and not wrong:
            wrong = "log"
        if wrong:
            print(f"{name} failed:", *said[-_SHOWN_OF_A_FAILURE:], sep="\n  ")
        verdict = f"FAILED ({wrong})" if wrong else self.word
        what = (told[:1] or said[-1:] or [""])[0]
        return self.add(name, f"{verdict}, {seconds:.0f} s", what, passed=not wrong)

    def _run(self, command, out) -> str:
        """Runs a program; returns how it failed, nothing if it didn't."""
        try:
            done = subprocess.run(
                [str(part) for part in command],
                cwd=ROOT,
                env=self._environment,
                stdout=out,
                stderr=subprocess.STDOUT,
                check=False,
            )
        except OSError as error:  # there is no such program
            print(error, file=out)
            return "not run"
        return str(done.returncode or "")

    def add(self, name, verdict, said, passed=True) -> bool:
        """Adds a line to the table; returns whether it is of a pass."""
        self.lines.append(f"{name:14} {verdict:19} {said.strip(' =')}")
        self.all_passed &= passed
        print(self.lines[-1], flush=True)
        return passed

    def finish(self, title) -> int:
        """Prints the table; returns the program's exit status."""
        print(f"\n{title}; logs in {self.output}", *self.lines, sep="\n")
        return int(not self.all_passed)
