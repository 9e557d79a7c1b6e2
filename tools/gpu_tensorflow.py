"""TensorFlow itself on a card: `make gpu-tensorflow`.

Needs a card and its driver. TensorFlow for GPUs is this Python's own, where it has one
(gpu_environment.py), or is installed as `make build` does: from the network, or with
`--wheels FOLDER` from a folder of wheels (gpu_wheels.py). Then statpool is built for
the card, and runs there: the contract suite through the op, training, the demo, the
benchmark. Every step runs, whatever became of those before; a table says so last.
Without a card nothing runs, unless `--rehearse` asks for a part of each on the CPU.
"""

import argparse
import csv
import dataclasses
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from tools import gpu_environment, gpu_ready
from tools.steps import ROOT, Steps

OUTPUT = Path(os.environ.get("OUTPUT", ROOT / "output" / "gpu-tensorflow"))
VENV, OVER_OUTER = ROOT / ".venv", ROOT / "build" / "gpu-tensorflow"
REHEARSED = "no card: REHEARSED ON THE CPU, nothing here ran on a GPU"
FALLS_BACK = "statpool falls back"  # on the composite, which trains as well
# A test that had to be left out says so: none may, on a card.
UNUSABLE = r"can't be used:|TensorFlow sees no GPU|no CUDA kernels"
SMALL_CELLS = "^forward.backward graph 64x(35|1500)x512 float32 "
PROVIDERS = "(Lambda|repaired Lambda|statpool|statpool inside)( XLA)?$"


@dataclasses.dataclass(frozen=True)
class Step:
    """One line of the table: a program, and what its results must say."""

    name: str
    command: tuple
    never: str = ""  # as of Steps.run
    judge: Callable[[], tuple[str, bool]] | None = None


def preparation(venv, wheels) -> list[Step]:
    """What makes a TensorFlow on the card, and the op for it."""
    python = venv / "bin" / "python"
    # Relative, as the Makefile's own: another spelling would count as another build.
    venv = venv.relative_to(ROOT)
    make = "make", "--no-print-directory", f"PYTHON={sys.executable}", f"VENV={venv}"
    make = *make, "TENSORFLOW=tensorflow-gpu"
    environment = (
        (sys.executable, "-m", "tools.gpu_environment", venv)
        if ROOT / venv == OVER_OUTER
        else (*make, gpu_environment.stamp(venv))
    )
    steps = [
        Step("environment", environment),
        Step("TensorFlow", (python, "-m", "tools.gpu_ready")),
        Step("build", (*make, "build")),
        Step("doctor", (python, "-m", "statpool", "doctor"), never="^--"),
    ]
    if wheels:
        check = sys.executable, "-m", "tools.gpu_wheels", "check", wheels
        steps.insert(0, Step("wheels", check))
    return steps


def proof(python, rehearsed) -> list[Step]:
    """What runs on the card, or on the CPU to rehearse, in small."""
    pytest = python, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider"
    # The whole suite has seen the CPU in `make test`.
    tests = "tests/contract" + ("/test_values.py" if rehearsed else "")
    here = () if rehearsed else ("--gpu",)
    unusable = UNUSABLE if not rehearsed else ""

    def contract(mode):
        wanted = f"native-{mode} and not gpu" if rehearsed else f"native-{mode}-gpu"
        command = *pytest, *here, tests, "-k", wanted
        return Step(f"contract {mode}", command, unusable)

    demo, benchmark = OUTPUT / "demo", OUTPUT / "benchmarks"
    small_demo = ("--clips", 64, "--epochs", 2, "--frames", 320, "--mel-bands", 32)
    trained = ("CPU", "float32", "mixed_bfloat16") if rehearsed else ("GPU",)
    on = "--output", benchmark, "--device", "cpu" if rehearsed else "gpu"
    cells = SMALL_CELLS if rehearsed else "(graph|step) .* "
    grid = "--filter", cells + PROVIDERS
    return [
        Step(
            "kernels",
            (*pytest, *here, "tests/tensorflow/test_gpu_kernels.py"),
            unusable,
        ),
        *map(contract, ("eager", "graph", "xla")),
        Step("training", (python, "-m", "tests.programs.gpu_training", *trained)),
        Step(
            "demo",
            (python, "examples/train_audio_classifier.py", "train", "--output", demo)
            + (("--pooling", "lambda", "statpool", *small_demo) if rehearsed else ()),
            never=FALLS_BACK,
            judge=lambda: judge_demo(demo, rehearsed),
        ),
        Step(
            "benchmark",
            (python, "-m", "benchmarks.run", *on, *grid),
            judge=lambda: judge_benchmark(benchmark),
        ),
    ]


def judge_demo(folder, rehearsed) -> tuple[str, bool]:
    """What the networks came to: statpool's must have learned, without a NaN."""
    said, passed = [], False
    for network in json.loads((folder / "results.json").read_text()):
        epoch = network["first_nan_epoch"]
        accuracy = network["epochs"][-1]["val_accuracy"]
        nan = f", NaN from epoch {epoch} on" if epoch else ""
        said.append(f"{network['pooling']} {accuracy:.0%}{nan}")
        if network["pooling"] == "statpool":
            passed = epoch is None and (rehearsed or accuracy > 0.5)
    return "; ".join(said), passed


def judge_benchmark(folder) -> tuple[str, bool]:
    """How near the limits the op comes: there must be limits, and right numbers."""
    with (folder / "results.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    ours = [row for row in rows if row["provider"].startswith("statpool")]
    wrong = [row for row in ours if row["status"] != "ok"]
    limited = [row for row in ours if row["share_of_limit"]]
    if wrong or not limited:
        row = wrong[0] if wrong else {"provider": "limit", "reason": "none measured"}
        return f"{row['provider']}: {row['reason']}", False
    best = max(limited, key=lambda row: float(row["share_of_limit"]))
    share = f"{float(best['share_of_limit']):.0%} of the machine's limit at most"
    where = "x".join(best[name] for name in ("batch", "time", "channels"))
    return f"{share}, in {best['mode']} {where} {best['dtype']}", True


def run(steps: Steps, plan) -> None:
    """Runs all steps, and asks those that passed what came out."""
    for step in plan:
        if not steps.run(step.name, *step.command, never=step.never) or not step.judge:
            continue
        try:
            said, passed = step.judge()
        except (OSError, LookupError, ValueError) as error:
            said, passed = f"results unreadable: {error!r}", False
        steps.add(f"{step.name} says", steps.word if passed else "FAILED", said, passed)


def environment_for(venv, wheels, rehearsed) -> dict[str, str]:
    """The programs' environment."""
    found = {
        **os.environ,
        "PATH": f"{venv / 'bin'}:{os.environ['PATH']}",
        "PYTHONUNBUFFERED": "1",
        # Several processes share the card, one after the other or beside each other.
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    }
    if wheels:
        found |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels)}
    if rehearsed:
        found["CUDA_VISIBLE_DEVICES"] = "-1"
    return found


def main(arguments=None) -> int:
    """Returns 0 if every step passed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--wheels", type=Path, help="installs from this folder alone")
    parser.add_argument("--rehearse", action="store_true", help="without a card too")
    asked = parser.parse_args(arguments)
    wheels = asked.wheels and asked.wheels.resolve()
    findings = gpu_ready.card()
    has_card = all(finding.works for finding in findings)
    if not has_card and not asked.rehearse:
        print(*findings, sep="\n")
        print(
            "make gpu-tensorflow needs a card: nothing was run. Run it where there is "
            "one, or rehearse it on the CPU: make gpu-tensorflow REHEARSE=1"
        )
        return 1
    over_outer = has_card and gpu_environment.has_tensorflow_for_gpus()
    venv = OVER_OUTER if over_outer else VENV
    word = "passed" if has_card else "rehearsed"
    steps = Steps(OUTPUT, environment_for(venv, wheels, not has_card), word)
    for finding in findings:
        steps.add(finding.name, "passed" if has_card else "none", finding.detail)
    if has_card:
        run(steps, preparation(venv, wheels))
    run(steps, proof(venv / "bin" / "python", not has_card))
    return steps.finish(findings[-1].detail if has_card else REHEARSED)


if __name__ == "__main__":
    sys.exit(main())
