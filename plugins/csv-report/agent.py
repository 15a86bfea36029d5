"""An agent that reads a CSV text and reports what is in its columns and what looks wrong."""

from __future__ import annotations

import logging
from typing import Any

import anomalies
import columns
import markdown
import table

log = logging.getLogger("csv-report")

manifest = {
    "input": {
        "type": "object",
        "properties": {
            "csv": {"type": "string", "description": "The text of the file."},
            "delimiter": {
                "type": "string",
                "minLength": 1,
                "maxLength": 1,
                "description": "What separates the fields; found out when it is not given.",
            },
            "header": {
                "type": "boolean",
                "default": True,
                "description": "Whether the first row names the columns.",
            },
            "title": {"type": "string", "description": "The title of the report."},
        },
        "required": ["csv"],
        "additionalProperties": False,
    },
    "output": {
        "type": "object",
        "properties": {
            "report": {"type": "string", "description": "The report in Markdown."},
            "rows": {"type": "integer"},
            "delimiter": {"type": "string"},
            "columns": {"type": "array", "items": {"type": "object"}},
            "anomalies": {"type": "array", "items": {"type": "object"}},
        },
        "required": ["report", "rows", "delimiter", "columns", "anomalies"],
    },
}


def run(input: dict[str, Any], host: Any) -> dict[str, Any]:
    read = table.read(input["csv"], input.get("delimiter"), input.get("header", True))
    log.info("%d rows of %d columns, separated by %r", len(read.rows), len(read.names), read.delimiter)
    described = [columns.describe(name, read.column(index)) for index, name in enumerate(read.names)]
    found = anomalies.of_table(read) + [
        anomaly
        for index, column in enumerate(described)
        for anomaly in anomalies.of_column(column, read.column(index), read.lines)
    ]
    for anomaly in found:
        log.warning("%s", anomaly["message"])
    return {
        "report": markdown.report(input.get("title", "CSV report"), read, described, found),
        "rows": len(read.rows),
        "delimiter": read.delimiter,
        "columns": described,
        "anomalies": found,
    }
