"""How numbers and rows are written for people."""

import pandas as pd


def duration(seconds: float) -> str:
    """Three digits and a unit, e.g. "1.23 ms"."""
    if pd.isna(seconds):
        return ""
    for unit, size in (("s", 1), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{_three_digits(seconds / size)} {unit}"
    return f"{_three_digits(seconds / 1e-9)} ns"


def power(seconds: float) -> str:
    """A power of ten as a duration, e.g. "10 ms"."""
    number, unit = duration(seconds).split()
    return f"{float(number):g} {unit}"


def size(count: float) -> str:
    """Three digits and a unit of bytes, e.g. "19.7 MB"."""
    if pd.isna(count):
        return ""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{_three_digits(count / scale)} {unit}"
    return f"{count:.0f} B"


def times(ratio: float) -> str:
    """A ratio, e.g. "19.6x"."""
    return "" if pd.isna(ratio) else f"{_three_digits(ratio)}x"


def percent(share: float) -> str:
    """A share, e.g. "92 %"."""
    return "" if pd.isna(share) else f"{share:.0%}".replace("%", " %")


def change(ratio: float) -> str:
    """A relative change of time, e.g. "+12 %"."""
    return f"{100 * (ratio - 1):+.0f} %"


def shape(row: pd.Series) -> str:
    """Batch x time x channels."""
    return f"{row['batch']:.0f} x {row['time']:.0f} x {row['channels']:.0f}"


def variant(row: pd.Series) -> str:
    """What a case has besides shape and dtype, e.g. "30 % masked"."""
    parts = [row["layout"]] if row["layout"] != "channels_last" else []
    if row["masked"]:
        parts.append(f"{percent(row['masked'])} masked")
    if row["cache"] != "warm":
        parts.append(row["cache"])
    return ", ".join(parts)


def row_label(row: pd.Series) -> str:
    """Everything that tells a row from the others."""
    parts = [row["provider"], row["mode"], row["dispatch"], shape(row), row["dtype"]]
    return ", ".join(part for part in (*parts, variant(row)) if part)


def _three_digits(value: float) -> str:
    if value >= 99.95:
        return f"{value:.0f}"
    if value >= 9.995:
        return f"{value:.1f}"
    return f"{value:.2f}" if value >= 0.0995 else f"{value:.1g}"
