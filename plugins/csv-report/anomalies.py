"""Finds what looks wrong in a table and its columns."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from columns import TYPE_SHARE, dates, is_missing, number
from table import Table

SHOWN = 5
"""Places that one anomaly names."""
LEAST_VALUES = 8
"""Under this many values no outlier can be told from the rest."""
FAR = 3.0
"""Tukey's outer fence: this many times the middle half's width beyond it."""
MOSTLY_MISSING = 0.5
KEY_NAMES = ("id", "key", "uuid", "code", "sku", "email")


def of_table(table: Table) -> list[dict[str, Any]]:
    found = []
    if table.ragged:
        rows = [line for line, _ in table.ragged]
        lengths = sorted({length for _, length in table.ragged})
        found.append(
            anomaly(
                "ragged",
                None,
                f"{plural(len(rows), 'row')} with {either(lengths)} fields instead of {len(table.names)}",
                rows,
            )
        )
    if table.blank:
        found.append(anomaly("blank", None, f"{plural(table.blank, 'blank line')} left out", []))
    for name in table.renamed:
        found.append(anomaly("repeated_name", name, f"the column name `{name}` is there more than once", []))
    seen: dict[tuple[str, ...], int] = {}
    repeats = []
    for line, row in zip(table.lines, table.rows):
        if seen.setdefault(tuple(row), line) != line:
            repeats.append(line)
    if repeats:
        verb = "repeats" if len(repeats) == 1 else "repeat"
        found.append(anomaly("repeated_row", None, f"{plural(len(repeats), 'row')} {verb} an earlier one", repeats))
    return found


def of_column(column: dict[str, Any], values: list[str], numbers: list[int]) -> list[dict[str, Any]]:
    name = column["name"]
    lines = [(line, value) for line, value in zip(numbers, values) if not is_missing(value)]
    found = []
    if values and not lines:
        return [anomaly("empty", name, f"`{name}` is empty", [])]
    if values and column["missing"] > MOSTLY_MISSING * len(values):
        share = round(100 * column["missing"] / len(values))
        found.append(anomaly("mostly_missing", name, f"`{name}` is missing in {share} % of the rows", []))
    if column["distinct"] == 1 and len(lines) > 1 and not column["missing"]:
        found.append(anomaly("constant", name, f"`{name}` is `{lines[0][1].strip()}` in every row", []))
    padded = [line for line, value in lines if value != value.strip()]
    if padded:
        found.append(anomaly("padded", name, f"`{name}` has spaces around {plural(len(padded), 'value')}", padded))
    if column["type"] in ("integer", "number"):
        found += _misfits(column, [(line, value, number(value)) for line, value in lines])
        found += _outliers(column, [(line, number(value)) for line, value in lines])
    elif column["type"] in ("date", "datetime"):
        read = dates([value for _, value in lines], TYPE_SHARE)
        days = read[1] if read else [None] * len(lines)
        found += _misfits(column, [(line, value, day) for (line, value), day in zip(lines, days)])
    elif column["type"] == "text":
        found += _spellings(name, lines)
    return found + _repeated_keys(name, lines)


def _misfits(column: dict[str, Any], read: list[tuple[int, str, Any]]) -> list[dict[str, Any]]:
    odd = [(line, value) for line, value, parsed in read if parsed is None]
    if not odd:
        return []
    examples = ", ".join(f"`{value.strip()}`" for _, value in odd[:3])
    kind = "a number" if column["type"] in ("integer", "number") else "a date"
    message = f"`{column['name']}` is not {kind} in {plural(len(odd), 'row')}: {examples}"
    return [anomaly("misfit", column["name"], message, [line for line, _ in odd])]


def _outliers(column: dict[str, Any], read: list[tuple[int, float | None]]) -> list[dict[str, Any]]:
    numbers = [(line, value) for line, value in read if value is not None]
    if len(numbers) < LEAST_VALUES:
        return []
    low, high = column["quartiles"]
    width = high - low
    if width == 0:
        return []
    far = [(line, value) for line, value in numbers if not low - FAR * width <= value <= high + FAR * width]
    if not far:
        return []
    far.sort(key=lambda item: -abs(item[1] - column["median"]))
    examples = ", ".join(f"{value:.10g}" for _, value in far[:3])
    message = (
        f"`{column['name']}` has {plural(len(far), 'value')} far from the rest "
        f"({low:.10g} to {high:.10g} in the middle half): {examples}"
    )
    return [anomaly("outlier", column["name"], message, [line for line, _ in far])]


def _spellings(name: str, lines: list[tuple[int, str]]) -> list[dict[str, Any]]:
    """Values that differ in case or inner spaces alone: two spellings of one thing."""
    spelled: dict[str, Counter[str]] = defaultdict(Counter)
    for _, value in lines:
        spelled[" ".join(value.lower().split())][" ".join(value.split())] += 1
    groups = [counts for counts in spelled.values() if len(counts) > 1]
    if not groups:
        return []
    groups.sort(key=lambda counts: -counts.total())
    examples = "; ".join(" / ".join(f"`{value}`" for value, _ in counts.most_common(3)) for counts in groups[:3])
    rare = {value for counts in groups for value, _ in counts.most_common()[1:]}
    places = [line for line, value in lines if " ".join(value.split()) in rare]
    message = f"`{name}` spells {plural(len(groups), 'value')} in more than one way: {examples}"
    return [anomaly("spelling", name, message, places)]


def _repeated_keys(name: str, lines: list[tuple[int, str]]) -> list[dict[str, Any]]:
    """A column that is named like a key and is one but for a few rows."""
    words = name.lower().replace("-", "_").replace(" ", "_").split("_")
    counts = Counter(value.strip() for _, value in lines)
    if words[-1] not in KEY_NAMES or len(counts) < 0.8 * len(lines) or len(counts) == len(lines):
        return []
    repeated = [value for value, count in counts.most_common() if count > 1]
    examples = ", ".join(f"`{value}`" for value in repeated[:3])
    places = [line for line, value in lines if counts[value.strip()] > 1]
    verb = "repeats" if len(repeated) == 1 else "repeat"
    message = f"`{name}` looks like a key, but {plural(len(repeated), 'value')} {verb}: {examples}"
    return [anomaly("repeated_key", name, message, places)]


def anomaly(kind: str, column: str | None, message: str, lines: list[int]) -> dict[str, Any]:
    where = ""
    if lines:
        shown = ", ".join(map(str, lines[:SHOWN]))
        more = f" and {len(lines) - SHOWN} more" if len(lines) > SHOWN else ""
        where = f" (row {shown}{more})"
    return {"kind": kind, "column": column, "rows": lines[:SHOWN], "count": len(lines), "message": message + where}


def plural(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def either(numbers: list[int]) -> str:
    return " or ".join(map(str, numbers[:3])) + (" …" if len(numbers) > 3 else "")
