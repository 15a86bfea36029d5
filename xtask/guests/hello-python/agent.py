"""Logs one line and answers: the trivial agent of the benchmark."""

import logging

log = logging.getLogger(__name__)

manifest = {
    "input": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
}


def run(input, host):
    log.info("greeting %s", input["name"])
    return {"greeting": f"Hello, {input['name']}!"}
