"""The wheels that `make gpu-tensorflow` needs on a machine without a network.

    python -m tools.gpu_wheels list FOLDER [OPTIONS OF PIP]
    python -m tools.gpu_wheels check FOLDER

`list`, on a machine with a network, resolves what `make build` installs for a GPU, in
the versions of constraints.txt, without downloading it, writes FOLDER/wheels.txt, and
says how to download. For another Python than this one: `list FOLDER --python-version
3.12`. `check` says which of these the folder lacks.
"""

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
LIST = "wheels.txt"
# As the Makefile: the environment for a GPU, and the nvcc that is brought to it.
GROUPS = ("tensorflow-gpu", "dev", "nvcc")
# Installed by the Makefile with --no-deps: it would bring what lies there already.
ALONE = "legacy-keras"


def requirements(*groups) -> list[str]:
    """What the groups of pyproject.toml ask for, those that they include too."""
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    found = {}
    for group in groups:
        for entry in known[group]:
            included = isinstance(entry, dict)
            asked = requirements(entry["include-group"]) if included else [entry]
            found |= dict.fromkeys(asked)
    return list(found)


def resolve(options) -> dict[str, str]:
    """Returns the version of each package, as pip would install it now."""
    asked = ["pip", *requirements(*GROUPS, ALONE)]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        subprocess.run(
            [
                *(sys.executable, "-m", "pip", "install", "--quiet", "--dry-run"),
                *("--ignore-installed", "--only-binary", ":all:"),
                *("--constraint", ROOT / "constraints.txt", "--report", report),
                *("--target", folder, *options, *asked),
            ],
            check=True,
        )
        installed = json.loads(report.read_text())["install"]
    metadata = [one["metadata"] for one in installed]
    return {normal(one["name"]): one["version"] for one in metadata}


def lacking(folder) -> list[str]:
    """What of the list, as `name==version`, has no wheel in the folder."""
    there = set()
    for wheel in folder.glob("*.whl"):
        name, version = wheel.name.split("-")[:2]
        there.add(f"{normal(name)}=={version}")
    asked = (folder / LIST).read_text().split()
    return [line for line in asked if line not in there]


def normal(name) -> str:
    """A package's name as indexes compare them."""
    return re.sub(r"[-_.]+", "-", name).lower()


def download(folder, options=()) -> str:
    """The command that fills the folder."""
    pip = f"python3 -m pip download --no-deps --only-binary :all: --dest {folder}"
    return " ".join([pip, *options, "--requirement", str(folder / LIST)])


def write_list(folder, options) -> int:
    """Writes the list; returns 0."""
    folder.mkdir(parents=True, exist_ok=True)
    found = resolve(options)
    lines = [f"{name}=={version}\n" for name, version in sorted(found.items())]
    (folder / LIST).write_text("".join(lines))
    print(f"{len(lines)} wheels in {folder / LIST}, some gigabytes: download them by")
    print(f"  {download(folder, options)}")
    print(f"and bring the folder along: make gpu-tensorflow WHEELS={folder}")
    return 0


def check(folder) -> int:
    """Says what the folder lacks; returns 0 if that is nothing."""
    if not (folder / LIST).exists():
        print(
            f"WHEELS must name a folder with {LIST}, got {folder}; where there is a "
            f"network run 'python3 -m tools.gpu_wheels list {folder}'"
        )
        return 1
    size = sum(wheel.stat().st_size for wheel in folder.glob("*.whl"))
    missing = lacking(folder)
    if missing:
        print(
            f"the folder must hold every wheel of {LIST}, got none of "
            f"{', '.join(missing)}; where there is a network run '{download(folder)}'"
        )
        return 1
    print(f"all of {LIST} in {folder}, {size / 1e9:.1f} GB")
    return 0


def main(arguments) -> int:
    """Runs the command that the arguments name."""
    match arguments:
        case ["list", folder, *options]:
            return write_list(Path(folder), options)
        case ["check", folder]:
            return check(Path(folder))
    print(__doc__)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
