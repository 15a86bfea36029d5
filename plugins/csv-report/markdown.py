"""Writes the report as Markdown, readable as plain text too."""

from __future__ import annotations

from typing import Any

from table import Table

NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
WIDEST = 40
"""Characters of one value that are shown."""


def report(title: str, table: Table, columns: list[dict[str, Any]], anomalies: list[dict[str, Any]]) -> str:
    separated = NAMES.get(table.delimiter, f"`{table.delimiter}`")
    parts = [
        f"# {title}",
        f"{len(table.rows)} rows, {len(columns)} columns, separated by {separated}.",
        "## Columns",
        grid(
            ["column", "type", "missing", "distinct", "range", "most frequent"],
            [
                [column["name"], column["type"], missing(column, table), str(column["distinct"]), span(column), top(column)]
                for column in columns
            ],
        ),
    ]
    numeric = [column for column in columns if "mean" in column]
    if numeric:
        parts += [
            "## Numbers",
            grid(
                ["column", "mean", "median", "deviation", "sum"],
                [[column["name"], *(shown(column.get(key)) for key in ("mean", "median", "deviation", "sum"))] for column in numeric],
            ),
        ]
    parts.append("## Anomalies")
    parts.append("\n".join(f"- {anomaly['message']}" for anomaly in anomalies) or "None found.")
    return "\n\n".join(parts) + "\n"


def grid(head: list[str], rows: list[list[str]]) -> str:
    """A table whose columns also line up where Markdown is not rendered."""
    cells = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in [head, *rows]]
    widths = [max(len(row[index]) for row in cells) for index in range(len(head))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in cells]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def missing(column: dict[str, Any], table: Table) -> str:
    if not column["missing"]:
        return "0"
    return f"{column['missing']} ({100 * column['missing'] / len(table.rows):.0f} %)"


def span(column: dict[str, Any]) -> str:
    if "min" in column:
        return f"{shown(column['min'])} to {shown(column['max'])}"
    if "min_length" in column:
        return f"{column['min_length']} to {column['max_length']} characters"
    return ""


def top(column: dict[str, Any]) -> str:
    # Where every value is there once, none is frequent.
    frequent = [item for item in column["top"] if item["count"] > 1][:3]
    return ", ".join(f"{cut(item['value'])} ({item['count']})" for item in frequent)


def shown(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def cut(text: str) -> str:
    return text if len(text) <= WIDEST else text[: WIDEST - 1] + "…"
