"""An agent that counts the words of a text."""

from __future__ import annotations

import logging
import re
from collections import Counter
from typing import TYPE_CHECKING, NotRequired, TypedDict

if TYPE_CHECKING:
    from aaasp import Host, Manifest

log = logging.getLogger(__name__)


class Input(TypedDict):
    text: str
    top: NotRequired[int]


class Output(TypedDict):
    words: int
    top: list[tuple[str, int]]


class InvalidInput(Exception):
    failure = "invalid-input"


manifest: Manifest = {
    "input": {
        "type": "object",
        "properties": {
            "text": {"type": "string", "description": "The text to count."},
            "top": {
                "type": "integer",
                "minimum": 0,
                "description": "How many of the most frequent words to name; "
                "the deployment's `top`, or 3.",
            },
        },
        "required": ["text"],
        "additionalProperties": False,
    },
    "output": {
        "type": "object",
        "properties": {"words": {"type": "integer"}, "top": {"type": "array"}},
        "required": ["words", "top"],
    },
}


def run(input: Input, host: Host) -> Output:
    words = re.findall(r"\w+", input["text"].lower())
    if not words:
        raise InvalidInput("/text: has no words")
    counts = Counter(words)
    log.info("%d words, %d of them different", len(words), len(counts))
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    top = input["top"] if "top" in input else int(host.config("top") or 3)
    return {"words": len(words), "top": ranked[:top]}
