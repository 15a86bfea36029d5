"""The types of an AAASP agent in Python. For type checkers alone: there is no module to import."""

from typing import Any, Literal, Protocol, TypedDict

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
    """Capabilities that a deployment has to grant: `scratch`."""

class Host(Protocol):
    """What the host offers to a run."""

    def config(self, key: str) -> str | None:
        """The deployment's configuration: the value of a key, or None when it is not set."""

class Refusal(Exception):
    """The shape of an error that says whom it concerns: `invalid-input` means that the same input
    will fail again, `retryable` that it may succeed later. Any other exception is a plain failure,
    its traceback in the log."""

    failure: Literal["invalid-input", "retryable"]
