"""Joins agent.py to the contract `aaasp:agent`. Written by `aaasp build`, at every build anew."""

import contextlib
import importlib
import json
import logging
import sys
import traceback

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.handler import (
    Failure_Failed,
    Failure_InvalidInput,
    Failure_Retryable,
    Manifest,
)
from wit_world.imports import logging as run_log
from wit_world.imports import store


class RunLog(logging.Handler):
    """Sends the records of the module `logging` to the log of the run.

    Modules are imported while the component is built, where there is no log: what they write then
    is the beginning of each run's.
    """

    LEVELS = (
        (logging.CRITICAL, run_log.Level.CRITICAL),
        (logging.ERROR, run_log.Level.ERROR),
        (logging.WARNING, run_log.Level.WARN),
        (logging.INFO, run_log.Level.INFO),
        (logging.DEBUG, run_log.Level.DEBUG),
        (0, run_log.Level.TRACE),
    )

    def __init__(self) -> None:
        super().__init__()
        self.running = False
        self.early: list[logging.LogRecord] = []

    def begin(self) -> None:
        self.running = True
        for record in self.early:
            self.emit(record)
        self.early = []

    def emit(self, record: logging.LogRecord) -> None:
        if not self.running:
            self.early.append(record)
            return
        level = next(level for number, level in self.LEVELS if record.levelno >= number)
        run_log.log(level, record.name, self.format(record))


log = RunLog()
logging.basicConfig(level=logging.DEBUG, format="%(message)s", handlers=[log])

# Modules that the standard library imports inside of its functions. A component holds what was imported
# when it was built; in a run there is no disk to find more on.
LATE_IMPORTS = (
    "_strptime annotationlib ast bisect copy decimal fractions heapq linecache random statistics string textwrap "
    "typing unicodedata warnings weakref encodings.ascii encodings.cp1252 encodings.idna encodings.latin_1 "
    "encodings.utf_16 encodings.utf_8_sig"
)
for module in LATE_IMPORTS.split():
    # What this release of Python does not have, none of its modules imports.
    with contextlib.suppress(ImportError):
        importlib.import_module(module)

# The log has to be there before the agent's own modules are.
import agent  # noqa: E402


class Refused(Exception):
    failure = "retryable"


class Host:
    def config(self, key: str) -> str | None:
        try:
            return store.get(key)
        except Err as error:
            raise Refused(f"the configuration can't be read: {error.value}") from error


def schema(value: object) -> str:
    return "" if value is None else json.dumps(value)


def failure(error: Exception) -> Err:
    match getattr(error, "failure", None):
        case "invalid-input":
            return Err(Failure_InvalidInput(str(error)))
        case "retryable":
            return Err(Failure_Retryable(str(error)))
    run_log.log(run_log.Level.ERROR, "run", traceback.format_exc().rstrip())
    return Err(Failure_Failed(f"{type(error).__name__}: {error}"))


class Handler(exports.Handler):
    def describe(self) -> Manifest:
        manifest = getattr(agent, "manifest", {})
        return Manifest(
            name="{{name}}",
            description="{{description}}",
            input_schema=schema(manifest.get("input")),
            output_schema=schema(manifest.get("output")),
            hosts=manifest.get("hosts", []),
            credentials=manifest.get("credentials", []),
            capabilities=manifest.get("capabilities", []),
        )

    def run(self, input: str) -> str:
        log.begin()
        try:
            # NaN and Infinity are words that only Python reads in JSON.
            return json.dumps(agent.run(json.loads(input), Host()), allow_nan=False)
        except Exception as error:
            raise failure(error) from None
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
