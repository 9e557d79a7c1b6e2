"""The files of the project, as git knows them."""

import functools
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


@functools.cache
def names() -> tuple[str, ...]:
    """Every file that is tracked, or new and not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout.split("\0")
    return tuple(name for name in listed if name and (ROOT / name).is_file())


def copy(to: Path) -> Path:
    """Copies the files into a new folder, which nothing was ever built in."""
    for name in names():
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        (to / name).write_bytes((ROOT / name).read_bytes())
        (to / name).chmod((ROOT / name).stat().st_mode)
    return to
