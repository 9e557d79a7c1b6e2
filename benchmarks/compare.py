"""Says what got faster and slower between two results files."""

import pandas as pd

from benchmarks import formats, results

_LEAST_CHANGE = 0.05  # Smaller changes are of no interest, however certain.


def describe(old: pd.DataFrame, new: pd.DataFrame) -> str:
    """Puts the comparison in words; the machine's own change comes first."""
    pairs = match(old, new)
    is_limit = pairs["engine"] == "machine"
    limits = pairs[is_limit].groupby("provider")["ratio"].median()
    rows = pairs[~is_limit]
    machine = [f"{name} {100 * (ratio - 1):+.0f} %" for name, ratio in limits.items()]
    known = ", ".join(machine) or "not in both files"
    lines = [f"The machine itself, medians: {known}"]
    for change in ("slower", "faster"):
        changed = rows[rows["change"] == change]
        changed = changed.sort_values("ratio", ascending=change == "faster")
        lines.append(f"{change}: {len(changed)} of {len(rows)} rows")
        for _, row in changed.iterrows():
            old, new = map(formats.duration, (row["seconds_old"], row["seconds_new"]))
            words = f"{100 * (row['ratio'] - 1):+.0f} %", f"{old} -> {new}"
            lines.append("  ".join((*words, formats.row_label(row))))
    for _, row in pairs[pairs["status_old"] != pairs["status_new"]].iterrows():
        verdicts = f"was {row['status_old']}, is {row['status_new']}"
        lines.append(f"{formats.row_label(row)}: {verdicts}")
    return "\n".join(lines)


def match(old: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """Joins the timed rows of both files and names the change of each.

    A row differs if it changed by 5 % or more, and if the middle 60 % of its samples
    before and after don't overlap. Adds `ratio` (new time / old time) and `change`:
    "slower", "faster" or "" within the noise.
    """
    key = [*results.KEY, "engine"]
    columns = [*key, "status", "seconds", "seconds_q20", "seconds_q80"]
    pairs = old[columns].merge(new[columns], on=key, suffixes=("_old", "_new"))
    pairs = pairs.dropna(subset=["seconds_old", "seconds_new"])
    ratio, least = pairs["seconds_new"] / pairs["seconds_old"], 1 + _LEAST_CHANGE
    slower = (ratio >= least) & (pairs["seconds_q20_new"] > pairs["seconds_q80_old"])
    faster = ratio <= 1 / least
    faster &= pairs["seconds_q80_new"] < pairs["seconds_q20_old"]
    pairs = pairs.assign(ratio=ratio, change="")
    pairs.loc[slower, "change"] = "slower"
    pairs.loc[faster, "change"] = "faster"
    return pairs
