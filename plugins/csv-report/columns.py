"""Tells what a column holds: its type, its gaps and its statistics."""

from __future__ import annotations

import re
import statistics
from collections import Counter
from datetime import date, datetime
from typing import Any

MISSING = {"", "na", "n/a", "#n/a", "nan", "null", "none", "nil", "-", "?"}
TRUE_FALSE = {"true", "false", "yes", "no", "y", "n", "t", "f"}
TOP_VALUES = 5
TYPE_SHARE = 0.9
"""The share of a column's values that have to be of one type for it to be the column's; the others
are reported. In a clean file it is all of them."""

INTEGER = re.compile(r"[+-]?(0|[1-9]\d{0,17})")
GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?")
DECIMAL = re.compile(r"[+-]?(\d{1,18}\.\d*|\.\d+|\d{1,18})([eE][+-]?\d{1,3})?")
LEADING_ZERO = re.compile(r"[+-]?0\d")
DATE_FORMATS = ("%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d")


def is_missing(text: str) -> bool:
    return text.strip().lower() in MISSING


def number(text: str) -> float | int | None:
    """The number that a field writes. Codes such as 007 are none: their zeros mean something."""
    text = text.strip()
    if LEADING_ZERO.match(text) and "." not in text:
        return None
    if INTEGER.fullmatch(text):
        return int(text)
    if GROUPED.fullmatch(text):
        text = text.replace(",", "")
        return float(text) if "." in text else int(text)
    if DECIMAL.fullmatch(text):
        value = float(text)
        return value if abs(value) < float("inf") else None
    return None


def dates(values: list[str], share: float) -> tuple[str, list[date | datetime | None]] | None:
    """The values by the one format that reads nearly all of them: 03/04 is ambiguous in one field,
    seldom in a column."""

    def parsed(read: Any) -> list[date | datetime | None]:
        result = []
        for value in values:
            try:
                result.append(read(value.strip()))
            except ValueError:
                result.append(None)
        return result

    def day(form: str) -> Any:
        return lambda text: datetime.strptime(text, form).date()

    readers = [("date", day(form)) for form in DATE_FORMATS]
    readers.append(("datetime", lambda text: datetime.fromisoformat(text).replace(tzinfo=None)))
    # The first few values rule nearly every format out, before the whole column is read by each.
    for kind, read in readers:
        if not any(_reads(read, value) for value in values[:20]):
            continue
        result = parsed(read)
        if sum(item is not None for item in result) >= share * len(values):
            return kind, result
    return None


def _reads(read: Any, value: str) -> bool:
    try:
        read(value.strip())
    except ValueError:
        return False
    return True


def describe(name: str, values: list[str]) -> dict[str, Any]:
    present = [value for value in values if not is_missing(value)]
    counts = Counter(value.strip() for value in present)
    column: dict[str, Any] = {
        "name": name,
        "type": "empty",
        "missing": len(values) - len(present),
        "distinct": len(counts),
        "top": [{"value": value, "count": count} for value, count in counts.most_common(TOP_VALUES)],
    }
    if present:
        column |= _typed(present, counts)
    return column


def _typed(present: list[str], counts: Counter[str]) -> dict[str, Any]:
    numbers = [value for value in map(number, present) if value is not None]
    needed = TYPE_SHARE * len(present)
    if len(numbers) >= needed:
        whole = all(isinstance(value, int) for value in numbers)
        return {"type": "integer" if whole else "number", **_statistics(numbers)}
    if {value.lower() for value in counts} <= TRUE_FALSE:
        return {"type": "boolean"}
    if found := dates(present, TYPE_SHARE):
        kind, days = found
        read = [day for day in days if day is not None]
        return {"type": kind, "min": min(read).isoformat(), "max": max(read).isoformat()}
    lengths = [len(value.strip()) for value in present]
    return {"type": "text", "min_length": min(lengths), "max_length": max(lengths)}


def _statistics(numbers: list[float | int]) -> dict[str, Any]:
    result: dict[str, Any] = {
        "min": min(numbers),
        "max": max(numbers),
        "sum": _rounded(sum(numbers)),
        "mean": _rounded(statistics.fmean(numbers)),
        "median": _rounded(statistics.median(numbers)),
    }
    if len(numbers) > 1:
        low, _, high = statistics.quantiles(numbers, n=4, method="inclusive")
        result |= {
            "deviation": _rounded(statistics.pstdev(numbers)),
            "quartiles": [_rounded(low), _rounded(high)],
        }
    return result


def _rounded(value: float | int) -> float | int:
    """Ten significant digits: what lies behind them is the noise of binary fractions."""
    return value if isinstance(value, int) else float(f"{value:.10g}")
