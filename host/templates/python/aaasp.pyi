"""The types of an AAASP agent in Python. For type checkers alone: there is no module to import."""

from collections.abc import Iterator
from typing import Any, Literal, Protocol, Required, TypedDict

type JsonSchema = dict[str, Any] | bool

class Manifest(TypedDict, total=False):
    """What an agent says of itself; its name and description are those of pyproject.toml."""

    input: JsonSchema
    """What `run` accepts: the host refuses anything else before a run begins."""
    output: JsonSchema
    """What `run` promises."""
    hosts: list[str]
    """Hosts that the agent wants to reach: `api.github.com`, `*.example.org`."""
    credentials: list[str]
    """Names of the credentials that it wants used on its behalf."""
    capabilities: list[str]
    """Capabilities that a deployment has to grant: `scratch`, `model`."""

class Host(Protocol):
    """What the host offers to a run."""

    def config(self, key: str) -> str | None:
        """The deployment's configuration: the value of a key, or None when it is not set."""

    @property
    def model(self) -> Models:
        """Language models, where the deployment grants them with `models`. They raise `ModelError`."""

class ToolCall(TypedDict):
    """A call of a tool that the model asks for."""

    id: str
    """Names the call; its result names it too."""
    name: str
    arguments: Any
    """None when the model wrote no JSON."""
    opaque: str
    """The host's own; it has to come back with the call, as it is."""

class Message(TypedDict, total=False):
    """One message of a conversation; a system message stands first, if at all."""

    role: Required[Literal["system", "user", "assistant", "tool"]]
    content: str
    calls: list[ToolCall]
    """Of an assistant."""
    call: str
    """Of a tool: the id of the call that it answers."""
    failed: bool
    """Of a tool."""

class Tool(TypedDict):
    """A tool that the model may call."""

    name: str
    description: str
    parameters: JsonSchema

class Usage(TypedDict):
    """Tokens of one call: what the run is charged for."""

    input: int
    output: int
    cached: int
    """Of the input, what the provider had in its cache."""
    reported: bool
    """Whether the provider counted; if not, the host counts bytes."""

type Finish = Literal["stop", "length", "tool-calls", "filtered", "other"]

class Answer(TypedDict):
    """A whole answer."""

    text: str
    calls: list[ToolCall]
    finish: Finish
    usage: Usage

class Piece(TypedDict, total=False):
    """A piece of an answer: a text, a call, or its end."""

    text: str
    call: ToolCall
    finish: Finish
    usage: Usage

class Models(Protocol):
    """Language models. What is asked and answered is kept nowhere, unless the deployment sets `log_output`."""

    def names(self) -> list[str]:
        """Names of the models that the deployment grants."""

    def chat(
        self,
        messages: str | list[Message],
        *,
        model: str | None = None,
        tools: list[Tool] | None = None,
        tool_choice: Literal["auto", "none", "required"] | dict[str, str] = "auto",
        schema: JsonSchema | None = None,
        max_tokens: int | None = None,
        temperature: float | None = None,
        stop: list[str] | None = None,
    ) -> Answer:
        """Asks a model, and waits for its whole answer. A text is one message of a user. With `schema` the
        answer's text is JSON that fits it; `tool_choice={"name": …}` names the tool that has to be called."""

    def stream(self, messages: str | list[Message], **options: Any) -> Iterator[Piece]:
        """Asks as `chat` does, and gives the answer out as it comes; leaving the loop ends it."""

    def embed(self, texts: list[str], *, model: str | None = None) -> list[list[float]]:
        """Vectors for texts, in their order."""

class ModelError(Exception):
    """The shape of what a model raises. What may pass has `failure = "retryable"`."""

    kind: Literal[
        "not-granted", "unknown-model", "invalid", "refused", "rate-limited", "limit-reached", "unavailable"
    ]
    retry_after_ms: int | None
    """When it may be asked again, where the provider said so."""

class Refusal(Exception):
    """The shape of an error that says whom it concerns: `invalid-input` means that the same input
    will fail again, `retryable` that it may succeed later. Any other exception is a plain failure,
    its traceback in the log."""

    failure: Literal["invalid-input", "retryable"]
