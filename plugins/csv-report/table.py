"""Reads a CSV text into a table, whatever separates its fields."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

DELIMITERS = ",;\t|"
SAMPLE_LINES = 50

# The module's own limit is 128 KiB a field; a run has a limit on its whole input already.
csv.field_size_limit(1 << 30)


class InvalidInput(Exception):
    failure = "invalid-input"


@dataclass
class Table:
    names: list[str]
    rows: list[list[str]]
    """Each as long as `names`: short rows are filled with empty fields, long ones cut."""
    delimiter: str
    lines: list[int]
    """The number of each row, counted as a spreadsheet does."""
    ragged: list[tuple[int, int]]
    """Rows of another length than the header: their number and their length."""
    blank: int
    """Rows without any field, left out."""
    renamed: list[str]
    """Names that are there more than once."""

    def column(self, index: int) -> list[str]:
        return [row[index] for row in self.rows]


def read(text: str, delimiter: str | None, header: bool) -> Table:
    text = text.removeprefix("\ufeff")
    if not text.strip():
        raise InvalidInput("/csv: is empty")
    delimiter = delimiter or guess(text)
    try:
        records = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise InvalidInput(f"/csv: can't be read with {delimiter!r} between fields: {error}") from error
    numbered = [(number, record) for number, record in enumerate(records, 1) if record]
    first = [name.strip() for name in numbered[0][1]]
    names, renamed = unique(first) if header else ([f"column {i}" for i in range(1, len(first) + 1)], [])
    body = numbered[1:] if header else numbered
    width = len(names)
    return Table(
        names=names,
        rows=[(row + [""] * width)[:width] for _, row in body],
        delimiter=delimiter,
        lines=[number for number, _ in body],
        ragged=[(number, len(row)) for number, row in body if len(row) != width],
        blank=len(records) - len(numbered),
        renamed=renamed,
    )


def guess(text: str) -> str:
    """The delimiter that cuts the first lines into the most fields of one same count."""
    sample = "".join(text.splitlines(keepends=True)[:SAMPLE_LINES])

    def fit(delimiter: str) -> tuple[float, int]:
        try:
            lengths = [len(row) for row in csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter) if row]
        except csv.Error:
            return (0, 0)
        usual = max(set(lengths), key=lengths.count) if lengths else 0
        return (lengths.count(usual) / len(lengths), usual) if usual > 1 else (0, 0)

    return max(DELIMITERS, key=fit)


def unique(names: list[str]) -> tuple[list[str], list[str]]:
    """The names with each empty one numbered and each repeated one told apart."""
    taken: set[str] = set()
    repeated = []
    result = []
    for index, name in enumerate(names, 1):
        name = name or f"column {index}"
        candidate, count = name, 1
        while candidate in taken:
            count += 1
            candidate = f"{name} ({count})"
        if count == 2:
            repeated.append(name)
        taken.add(candidate)
        result.append(candidate)
    return result, repeated
