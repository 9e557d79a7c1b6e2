"""How numbers and rows are written for people; "" stands for a missing number."""

import math

_UNITS = (("s", 1), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9))


def duration(seconds: float | None) -> str:
    """Three digits and a unit, e.g. "1.23 ms"."""
    if _is_missing(seconds):
        return ""
    unit, scale = next((u for u in _UNITS if seconds >= u[1]), _UNITS[-1])
    return f"{_three_digits(seconds / scale)} {unit}"


def times(ratio: float | None) -> str:
    """A ratio, e.g. "19.6x"."""
    return "" if _is_missing(ratio) else f"{_three_digits(ratio)}x"


def percent(share: float | None) -> str:
    """A share, e.g. "92 %"."""
    return "" if _is_missing(share) else f"{100 * share:.0f} %"


def measured(row) -> str:
    """Time, rate and share of the limit of a row of results."""
    words = f"{row.provider}: {duration(row.seconds)}"
    words += f" [{duration(row.seconds_q20)}, {duration(row.seconds_q80)}]"
    if row.gb_per_s:
        words += f", {row.gb_per_s:.1f} GB/s"
    if row.share_of_limit:
        words += f", {percent(row.share_of_limit)} of {row.limit}"
    return words if row.status in ("ok", "limit") else f"{words}, {row.status}"


def shape(row) -> str:
    """Batch x time x channels."""
    return f"{row['batch']:.0f} x {row['time']:.0f} x {row['channels']:.0f}"


def variant(row) -> str:
    """The properties of a case besides shape and dtype, e.g. "30 % masked"."""
    parts = [row["layout"]] if row["layout"] != "channels_last" else []
    if row["masked"]:
        parts.append(f"{percent(row['masked'])} masked")
    return ", ".join(parts + [row["cache"]] * (row["cache"] != "warm"))


def row_label(row) -> str:
    """Everything that tells a row from the others."""
    parts = [row["provider"], row["mode"], row["dispatch"], shape(row), row["dtype"]]
    return ", ".join(part for part in (*parts, variant(row)) if part)


def _is_missing(number) -> bool:
    return number is None or math.isnan(number)


def _three_digits(value: float) -> str:
    decimals = 0 if value >= 99.95 else 1 if value >= 9.995 else 2
    return f"{value:.{decimals}f}" if value >= 0.0995 else f"{value:.1g}"
