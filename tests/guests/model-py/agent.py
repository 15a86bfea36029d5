"""Asks a model in each way that Python has, and tells what it answered."""

manifest = {"capabilities": ["model"]}

LOOKUP = {
    "name": "lookup",
    "description": "Looks an issue up by its number",
    "parameters": {"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]},
}


def run(input, host):
    model = input["model"]
    answer = host.model.chat("hello", model=model, temperature=0)
    pieces = list(host.model.stream("hello", model=model))

    messages = [{"role": "user", "content": "what of issue 7"}]
    first = host.model.chat(messages, model=model, tools=[LOOKUP])
    messages.append({"role": "assistant", "content": first["text"], "calls": first["calls"]})
    for call in first["calls"]:
        content = f"issue {call['arguments']['number']} is open"
        messages.append({"role": "tool", "call": call["id"], "content": content})
    second = host.model.chat(messages, model=model, tools=[LOOKUP])

    errors = []
    for content in ("nonsense", "too often"):
        try:
            host.model.chat(content, model=model)
        except Exception as error:
            errors.append([error.kind, getattr(error, "failure", None), error.retry_after_ms])
    return {
        "names": host.model.names(),
        "text": answer["text"],
        "tokens": [answer["usage"]["input"], answer["usage"]["output"]],
        "streamed": "".join(piece.get("text", "") for piece in pieces),
        "pieces": len(pieces),
        "finish": [answer["finish"], first["finish"], pieces[-1]["finish"]],
        "tool": second["text"],
        "vectors": host.model.embed(["hello"], model=input["vectors"]),
        "errors": errors,
    }
