"""Joins agent.py to the contract `aaasp:agent`. Written by `aaasp build`, at every build anew."""

import contextlib
import importlib
import json
import logging
import re
import sys
import traceback
from collections.abc import Iterator

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.handler import (
    Failure_Failed,
    Failure_InvalidInput,
    Failure_Retryable,
    Manifest,
)
from wit_world.imports import logging as run_log
from wit_world.imports import model as models
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


class ModelError(Exception):
    def __init__(self, error: models.Error) -> None:
        self.kind = words(type(error).__name__.removeprefix("Error_"))
        self.retry_after_ms = error.value if self.kind == "rate-limited" else None
        if self.kind in ("rate-limited", "unavailable"):
            self.failure = "retryable"
        said = f": {error.value}" if isinstance(error.value, str) else ""
        super().__init__(f"the model does not answer: {self.kind}{said}")


def words(name: str) -> str:
    """`RateLimited` and `TOOL_CALLS` as the contract has them: `rate-limited`, `tool-calls`."""
    return re.sub("(?<=[a-z])(?=[A-Z])", "-", name).replace("_", "-").lower()


def read_call(call: models.ToolCall) -> dict[str, object]:
    try:
        arguments = json.loads(call.arguments)
    except json.JSONDecodeError:
        arguments = None
    return {"id": call.id, "name": call.name, "arguments": arguments, "opaque": call.opaque}


def written_call(call: dict) -> models.ToolCall:
    return models.ToolCall(call["id"], call["name"], json.dumps(call["arguments"]), call.get("opaque", ""))


def usage(tokens: models.Usage) -> dict[str, object]:
    return {
        "input": tokens.input,
        "output": tokens.output,
        "cached": tokens.cached,
        "reported": tokens.reported,
    }


def message(message: dict) -> models.Message:
    content = message.get("content", "")
    match message["role"]:
        case "system":
            return models.Message_System(content)
        case "user":
            return models.Message_User(content)
        case "assistant":
            calls = [written_call(call) for call in message.get("calls", [])]
            return models.Message_Assistant(models.AssistantTurn(content, calls))
        case "tool":
            failed = message.get("failed", False)
            return models.Message_Tool(models.ToolResult(message["call"], content, failed))
        case role:
            raise ValueError(f"a message has no role {role!r}")


def tool_choice(choice: str | dict) -> models.ToolChoice:
    if isinstance(choice, dict):
        return models.ToolChoice_Specific(choice["name"])
    return {
        "auto": models.ToolChoice_Auto,
        "none": models.ToolChoice_None_,
        "required": models.ToolChoice_Required,
    }[choice]()


def conversation(messages: str | list, **options: object) -> models.ChatRequest:
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    tools = options.get("tools") or []
    schema = options.get("schema")
    return models.ChatRequest(
        model=options.get("model"),
        messages=[message(one) for one in messages],
        tools=[models.Tool(tool["name"], tool["description"], json.dumps(tool["parameters"])) for tool in tools],
        tool_choice=tool_choice(options.get("tool_choice", "auto")),
        output_schema=None if schema is None else json.dumps(schema),
        max_tokens=options.get("max_tokens"),
        temperature=options.get("temperature"),
        stop=options.get("stop") or [],
    )


@contextlib.contextmanager
def asking() -> Iterator[None]:
    try:
        yield
    except Err as error:
        raise ModelError(error.value) from None


class Models:
    def names(self) -> list[str]:
        return models.names()

    def chat(self, messages: str | list, **options: object) -> dict[str, object]:
        with asking():
            answer = models.chat(conversation(messages, **options))
        calls = [read_call(call) for call in answer.calls]
        finish = words(answer.finish.name)
        return {"text": answer.text, "calls": calls, "finish": finish, "usage": usage(answer.usage)}

    def stream(self, messages: str | list, **options: object) -> Iterator[dict[str, object]]:
        with asking():
            stream = models.chat_stream(conversation(messages, **options))
        with stream:
            while True:
                with asking():
                    event = stream.next()
                match event:
                    case None:
                        return
                    case models.Event_Text(text):
                        yield {"text": text}
                    case models.Event_Call(call):
                        yield {"call": read_call(call)}
                    case models.Event_End(end):
                        yield {"finish": words(end.finish.name), "usage": usage(end.usage)}

    def embed(self, texts: list[str], *, model: str | None = None) -> list[list[float]]:
        with asking():
            return models.embed(model, texts).vectors


class Host:
    model = Models()

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
