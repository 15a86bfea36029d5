// Asks a model in each way that JavaScript has, and tells what it answered.

export const manifest = { capabilities: ["model"] };

const lookup = {
  name: "lookup",
  description: "Looks an issue up by its number",
  parameters: { type: "object", properties: { number: { type: "integer" } }, required: ["number"] },
};

export function run({ model, vectors }, host) {
  const answer = host.model.chat({ model, messages: [{ role: "user", content: "hello" }], temperature: 0 });
  const pieces = [...host.model.stream({ model, messages: [{ role: "user", content: "hello" }] })];

  const messages = [{ role: "user", content: "what of issue 7" }];
  const first = host.model.chat({ model, messages, tools: [lookup] });
  messages.push({ role: "assistant", content: first.text, calls: first.calls });
  for (const { id, arguments: { number } } of first.calls) {
    messages.push({ role: "tool", call: id, content: `issue ${number} is open` });
  }
  const second = host.model.chat({ model, messages, tools: [lookup] });

  const errors = [];
  for (const content of ["nonsense", "too often"]) {
    try {
      host.model.chat({ model, messages: [{ role: "user", content }] });
    } catch ({ kind, failure = null, retryAfterMs = null }) {
      errors.push([kind, failure, retryAfterMs]);
    }
  }
  return {
    names: host.model.names(),
    text: answer.text,
    tokens: [answer.usage.input, answer.usage.output],
    streamed: pieces.map((piece) => piece.text ?? "").join(""),
    pieces: pieces.length,
    finish: [answer.finish, first.finish, pieces.at(-1).finish],
    tool: second.text,
    vectors: host.model.embed(["hello"], vectors).vectors,
    errors,
  };
}
