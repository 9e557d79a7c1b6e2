"""The benchmark suite's files and commands: CSV, JSON, report, pictures, compare."""

import json
from pathlib import Path

import pandas as pd
import pytest
import tensorflow as tf
from click.testing import CliRunner

ROOT = Path(__file__).parents[2]

from benchmarks import compare, environment, measure, report, results, run  # noqa: E402

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
def test_stored_results_are_readable(path):
    """Those of before the column too: "" is the limit that a file doesn't name."""
    rows = results.load(path)
    assert len(rows) > 10
    assert set(results.COLUMNS) <= set(rows.columns)
    named = rows["share_of_limit"].notna() & (rows["limit"] != "")
    header = path.read_text().partition("\n")[0].split(",")
    assert named.any() == ("limit" in header and rows["share_of_limit"].notna().any())


def test_a_foreign_file_is_refused(tmp_path):
    path = tmp_path / "other.csv"
    path.write_text("provider,seconds\nLambda,1\n")
    outcome = CliRunner().invoke(report.main, [str(path)])
    assert outcome.exit_code == 1
    assert "has the columns of benchmarks.results.Row" in outcome.output


def frame(**seconds):
    """Rows of (q20, median, q80) milliseconds by provider."""
    rows = []
    for name, (q20, median, q80) in seconds.items():
        row = results.Row(name, "tensorflow", mode="forward", dispatch="graph")
        row.seconds_q20, row.seconds, row.seconds_q80 = q20, median, q80
        rows.append(vars(row) | {"batch": 1, "time": 2, "channels": 3, "masked": 0.0})
    return pd.DataFrame(rows)


def test_compare_sees_beyond_the_noise_only():
    old = frame(
        a=(9, 10, 11), b=(9, 10, 11), c=(9, 10, 11), d=(9.9, 10, 10.1), e=(1, 1, 1)
    )
    new = frame(a=(19, 20, 21), b=(4, 5, 6), c=(10, 12, 14), d=(10.2, 10.3, 10.4))
    pairs = compare.match(old, new).set_index("provider")
    assert dict(pairs["change"]) == {"a": "slower", "b": "faster", "c": "", "d": ""}
    text = compare.describe(old, new)
    assert "slower: 1 of 4 rows" in text
    assert "+100 %" in text
    assert "-50 %" in text


def test_an_interrupt_keeps_what_was_measured(tmp_path, monkeypatch):
    def interrupted(contenders, budget):
        for samples in contenders:
            samples.take()
        raise KeyboardInterrupt

    monkeypatch.setattr(measure, "take_rounds", interrupted)
    outcome = invoke_run(
        tmp_path, "--filter", "^forward graph 7x.*channels_first Lambda$"
    )
    assert outcome.exit_code == 0
    assert "Interrupted" in outcome.output
    rows = results.load(tmp_path / results.CSV_NAME)
    assert list(rows[rows["samples"] > 0]["provider"]) == ["empty call", "Lambda"]
    assert "Lambda" in (tmp_path / report.REPORT_NAME).read_text()


def test_from_one_end_to_the_other(tmp_path):
    names = ["Lambda", "Lambda XLA", "statpool composite", "statpool"]
    pattern = (
        rf"graph (32x80x20 float32 ({'|'.join(names)})"
        r"|16x10{0,2}x128 float32 (Lambda|statpool))$"
    )
    outcome = invoke_run(tmp_path, "--filter", pattern, "--filter", "^forward")
    assert outcome.exit_code == 0, outcome.output
    rows = results.load(tmp_path / results.CSV_NAME)
    rows = rows[rows["seconds"].notna()]
    assert set(names) <= set(rows["provider"])
    assert (rows["seconds_q20"] <= rows["seconds"]).all()
    assert (rows["seconds"] <= rows["seconds_q80"]).all()
    text = (tmp_path / report.REPORT_NAME).read_text()
    for name in ("speedup.png", "scaling.png"):
        assert name in text
        assert (tmp_path / name).stat().st_size > 10_000
    path = str(tmp_path / results.CSV_NAME)
    assert CliRunner().invoke(report.main, [path]).exit_code == 0
    outcome = CliRunner().invoke(compare.main, [path, path])
    assert "slower: 0 of" in outcome.output
    assert "faster: 0 of" in outcome.output


def test_a_filter_that_matches_nothing_is_an_error(tmp_path):
    outcome = invoke_run(tmp_path, "--filter", "no such thing")
    assert outcome.exit_code == 2
    assert "no label matches" in outcome.output


def invoke_run(folder, *arguments):
    common = ["--budget", "0.01", "--output", str(folder)]
    return CliRunner().invoke(run.main, [*common, *arguments])
