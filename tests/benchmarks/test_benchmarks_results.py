"""The benchmark suite's files and its command: CSV, JSON, report, pictures, compare."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
import tensorflow as tf

from benchmarks import compare, environment, measure, report, results, run
from tests.support import fresh_process

ROOT = Path(__file__).parents[2]
STORED = sorted((ROOT / "benchmarks" / "results").rglob(results.CSV_NAME))


def test_rows_are_readable_while_the_run_goes_on(tmp_path):
    writer = results.Writer(tmp_path, environment.describe_environment("cpu"))
    assert writer.csv.read_text().strip().split(",") == results.COLUMNS
    for count in (1, 2):
        writer.add(results.Row(f"number {count}", reason='commas, "quotes"\nlines'))
        rows = results.load(writer.csv)
        assert len(rows) == count
        assert rows["reason"].iloc[-1] == 'commas, "quotes" lines'
        assert rows["cores"].iloc[-1] > 0
    summary = json.loads((tmp_path / results.ENVIRONMENT_NAME).read_text())
    assert summary["versions"]["tensorflow"] == tf.__version__
    results.Writer(tmp_path, environment.describe_environment("cpu"))
    assert len(results.load(tmp_path / results.PREVIOUS_NAME)) == 2


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.parent.name)
def test_stored_results_are_readable(path, tmp_path):
    """Older files too: "" is the limit that a file doesn't name."""
    rows = results.load(path)
    assert len(rows) > 10
    assert set(results.COLUMNS) <= set(rows.columns)
    shutil.copytree(path.parent, tmp_path, dirs_exist_ok=True)
    text = report.write_report(tmp_path / path.name).read_text()
    assert ("share.png" in text) == rows["share_of_limit"].notna().any()


def test_a_foreign_file_and_a_filter_without_a_match_are_refused(tmp_path, capsys):
    path = tmp_path / "other.csv"
    path.write_text("provider,seconds\nLambda,1\n")
    assert invoke(tmp_path, "--report", str(path)) == 2
    assert "has the columns of benchmarks.results.Row" in capsys.readouterr().err
    assert invoke(tmp_path, "--engines", "core", "--filter", "no such thing") == 2
    assert "no label matches" in capsys.readouterr().err


def test_compare_sees_beyond_the_noise_only():
    def frame(**milliseconds):
        """Rows of (q20, median, q80) by provider."""
        rows = []
        for name, times in milliseconds.items():
            row = vars(results.Row(name, mode="forward", batch=1, time=2, channels=3))
            named = zip(("seconds_q20", "seconds", "seconds_q80"), times, strict=True)
            rows.append(row | {"masked": 0.0, **dict(named)})
        return pd.DataFrame(rows)

    old = frame(a=(9, 10, 11), b=(9, 10, 11), c=(9, 10, 11), d=(9.9, 10, 10.1))
    new = frame(a=(19, 20, 21), b=(4, 5, 6), c=(10, 12, 14), d=(10.2, 10.3, 10.4))
    pairs = compare.match(old, new).set_index("provider")
    assert dict(pairs["change"]) == {"a": "slower", "b": "faster", "c": "", "d": ""}
    text = compare.describe(old, new)
    for words in ("slower: 1 of 4 rows", "+100 %", "-50 %"):
        assert words in text


def test_an_interrupt_keeps_what_was_measured(tmp_path, monkeypatch, capsys):
    def interrupted(contenders, budget):
        for samples in contenders:
            samples.take()
        raise KeyboardInterrupt

    monkeypatch.setattr(measure, "take_rounds", interrupted)
    wanted = "^forward graph 7x.*channels_first Lambda$"
    assert invoke(tmp_path, "--filter", wanted) == 0
    assert "Interrupted" in capsys.readouterr().out
    rows = results.load(tmp_path / results.CSV_NAME)
    assert list(rows[rows["samples"] > 0]["provider"]) == ["empty call", "Lambda"]
    assert "Lambda" in (tmp_path / report.REPORT_NAME).read_text()


def test_from_one_end_to_the_other(tmp_path, capsys):
    names = ["Lambda", "Lambda XLA", "statpool composite", "statpool"]
    wanted = rf"^forward graph 32x80x20 float32 ({'|'.join(names)})$"
    assert invoke(tmp_path, "--filter", wanted) == 0
    path = str(tmp_path / results.CSV_NAME)
    rows = results.load(path)
    rows = rows[rows["seconds"].notna()]
    assert set(names) <= set(rows["provider"])
    assert (rows["seconds_q20"] <= rows["seconds"]).all()
    assert (rows["seconds"] <= rows["seconds_q80"]).all()
    assert "speedup.png" in (tmp_path / report.REPORT_NAME).read_text()
    assert (tmp_path / "speedup.png").stat().st_size > 10_000
    assert invoke(tmp_path, "--compare", path, path) == 0
    assert "slower: 0 of" in capsys.readouterr().out


def test_numpy_is_enough_to_measure(tmp_path):
    """As on a machine with a card and little else."""
    code = (
        "import sys\n"
        "for name in ('tensorflow', 'keras', 'click', 'pandas', 'matplotlib'):\n"
        "    sys.modules[name] = None\n"
        "from benchmarks import run\n"
        "sys.exit(run.main(sys.argv[1:]))"
    )
    pytest.importorskip("jax")
    asked = "--engines", "jax,torch,tensorflow", "--cells", "tiny", "--device", "cpu"
    ended = fresh_process.run(code, *asked, "--output", str(tmp_path))
    assert "left out: all of tensorflow" in ended.stdout, ended.stderr
    rows = results.load(tmp_path / results.CSV_NAME)
    assert "JAX jit" in set(rows[rows["dispatch"] == "step"]["provider"])
    ours = rows[rows["ours"] & (rows["status"] != "left out")]
    assert (ours["status"] == "ok").all()


def invoke(folder, *arguments):
    common = ["--budget", "0.01", "--device", "cpu", "--output", str(folder)]
    try:
        return run.main([*common, *arguments])
    except SystemExit as error:
        return error.code
