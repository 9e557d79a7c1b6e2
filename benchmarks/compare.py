"""Says what got faster and slower: `python -m benchmarks.compare OLD.csv NEW.csv`."""

from pathlib import Path

import click
import pandas as pd

from benchmarks import formats, results

_LEAST_CHANGE = 0.05  # Smaller changes are of no interest, however certain.


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("old", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("new", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(old, new):
    """Lists the rows of two results files that differ beyond the noise.

    A row differs if it changed by 5 % or more, and if the middle 60 % of its samples
    before and after don't overlap.
    """
    try:
        click.echo(describe(results.load(old), results.load(new)))
    except ValueError as error:
        raise click.ClickException(str(error)) from error


def describe(old: pd.DataFrame, new: pd.DataFrame) -> str:
    """Puts the comparison in words."""
    pairs = match(old, new)
    parts = [_machine(pairs)]
    providers = pairs[pairs["engine"] != "machine"]
    for change in ("slower", "faster"):
        rows = providers[providers["change"] == change]
        parts.append(f"{change}: {len(rows)} of {len(providers)} rows")
        if len(rows):
            parts.append(_table(rows))
    parts += _verdicts(pairs)
    return "\n\n".join(parts)


def match(old: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """Joins the timed rows of both files and names the change of each.

    Returns:
        One line per row that both files have, with `ratio` (new time / old time) and
        `change`: "slower", "faster" or "" within the noise.
    """
    columns = [
        *results.KEY,
        "engine",
        "status",
        "seconds",
        "seconds_q20",
        "seconds_q80",
    ]
    pairs = old[columns].merge(
        new[columns], on=[*results.KEY, "engine"], suffixes=("_old", "_new")
    )
    pairs = pairs.dropna(subset=["seconds_old", "seconds_new"])
    pairs["ratio"] = pairs["seconds_new"] / pairs["seconds_old"]
    slower = (pairs["ratio"] >= 1 + _LEAST_CHANGE) & (
        pairs["seconds_q20_new"] > pairs["seconds_q80_old"]
    )
    faster = (pairs["ratio"] <= 1 / (1 + _LEAST_CHANGE)) & (
        pairs["seconds_q80_new"] < pairs["seconds_q20_old"]
    )
    pairs["change"] = ""
    pairs.loc[slower, "change"] = "slower"
    pairs.loc[faster, "change"] = "faster"
    return pairs


def _machine(pairs: pd.DataFrame) -> str:
    """How the machine itself changed: everything else has to be read against it."""
    limits = pairs[pairs["engine"] == "machine"]
    if limits.empty:
        return "The machine itself: not measured in both files."
    changes = [
        f"{name} {formats.change(group['ratio'].median())}"
        for name, group in limits.groupby("provider")
    ]
    return f"The machine itself: {', '.join(changes)} (median over all cells)."


def _table(rows: pd.DataFrame) -> str:
    rows = rows.sort_values("ratio", ascending=rows["change"].iloc[0] == "faster")
    table = pd.DataFrame(
        {
            "what": rows.apply(formats.row_label, axis=1),
            "old": rows["seconds_old"].map(formats.duration),
            "new": rows["seconds_new"].map(formats.duration),
            "change": rows["ratio"].map(formats.change),
        }
    )
    return table.to_markdown(index=False)


def _verdicts(pairs: pd.DataFrame) -> list[str]:
    changed = pairs[pairs["status_old"] != pairs["status_new"]]
    return [
        f"{formats.row_label(row)}: was {row['status_old']}, is {row['status_new']}"
        for _, row in changed.iterrows()
    ]


if __name__ == "__main__":
    main()
