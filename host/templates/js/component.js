// Joins the agent to the contract `aaasp:agent`. Written by `aaasp build`, at every build anew.

import logging from "wasi:logging/logging@0.1.0-draft";
import store from "wasi:config/store@0.2.0-rc.1";
import models from "aaasp:agent/model@0.1.0";

const text = (value) => {
  if (typeof value === "string") return value;
  if (value instanceof Error) return `${value}\n${value.stack ?? ""}`.trimEnd();
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
};

// The agent's modules are evaluated while the component is built, where there is no log: what they
// write then is the beginning of each run's.
let running = false;
const early = [];

const write = (level, message) => {
  if (running) logging.log(level, "console", message);
  else early.push([level, message]);
};

const writes = (level) => (...values) => write(level, values.map(text).join(" "));

globalThis.console = {
  debug: writes("debug"),
  log: writes("info"),
  info: writes("info"),
  warn: writes("warn"),
  error: writes("error"),
};

// The console has to be there before the agent's own modules are evaluated.
const agent = await import("../{{main}}");

function conversation(request) {
  if (typeof request === "string") return conversation({ messages: [{ role: "user", content: request }] });
  const message = ({ role, content = "", calls = [], call, failed = false }) => {
    if (role === "assistant") return { tag: role, val: { text: content, calls: calls.map(written) } };
    if (role === "tool") return { tag: role, val: { call, content, failed } };
    return { tag: role, val: content };
  };
  const choice = request.toolChoice ?? "auto";
  return {
    model: request.model,
    messages: request.messages.map(message),
    tools: (request.tools ?? []).map((tool) => ({ ...tool, parameters: JSON.stringify(tool.parameters) })),
    toolChoice: typeof choice === "string" ? { tag: choice } : { tag: "specific", val: choice.name },
    outputSchema: request.schema === undefined ? undefined : JSON.stringify(request.schema),
    maxTokens: request.maxTokens,
    temperature: request.temperature,
    stop: request.stop ?? [],
  };
}

const written = (call) => ({ ...call, arguments: JSON.stringify(call.arguments) });

const read = (call) => {
  try {
    return { ...call, arguments: JSON.parse(call.arguments) };
  } catch {
    return { ...call, arguments: null };
  }
};

const usage = ({ input, output, cached, reported }) => ({
  input: Number(input),
  output: Number(output),
  cached: Number(cached),
  reported,
});

function asked(call) {
  try {
    return call();
  } catch (thrown) {
    const { tag, val } = thrown?.payload ?? thrown ?? {};
    if (tag === undefined) throw thrown;
    const failure = tag === "rate-limited" || tag === "unavailable" ? { failure: "retryable" } : {};
    const pause = tag === "rate-limited" && val != null ? { retryAfterMs: Number(val) } : {};
    const said = typeof val === "string" ? `${tag}: ${val}` : tag;
    throw Object.assign(new Error(`the model does not answer: ${said}`), { kind: tag }, failure, pause);
  }
}

const model = {
  names: () => models.names(),

  chat(request) {
    const answer = asked(() => models.chat(conversation(request)));
    return { ...answer, calls: answer.calls.map(read), usage: usage(answer.usage) };
  },

  *stream(request) {
    const stream = asked(() => models.chatStream(conversation(request)));
    for (;;) {
      const event = asked(() => stream.next());
      if (event == null) return;
      if (event.tag === "text") yield { text: event.val };
      else if (event.tag === "call") yield { call: read(event.val) };
      else yield { finish: event.val.finish, usage: usage(event.val.usage) };
    }
  },

  embed(texts, name) {
    const { vectors, usage: tokens } = asked(() => models.embed(name, texts));
    return { vectors: vectors.map((vector) => [...vector]), usage: usage(tokens) };
  },
};

const host = {
  model,

  config(key) {
    try {
      return store.get(key);
    } catch (error) {
      throw Object.assign(new Error(`the configuration can't be read: ${text(error)}`), {
        failure: "retryable",
      });
    }
  },
};

const schema = (value) => (value === undefined ? "" : JSON.stringify(value));

function failure(error) {
  const message = error instanceof Error ? `${error.message}` : text(error);
  if (error?.failure === "invalid-input" || error?.failure === "retryable") {
    return { tag: error.failure, val: message };
  }
  logging.log("error", "run", text(error));
  return { tag: "failed", val: error instanceof Error ? `${error.name}: ${message}` : message };
}

export const handler = {
  describe() {
    const manifest = agent.manifest ?? {};
    return {
      name: "{{name}}",
      description: "{{description}}",
      inputSchema: schema(manifest.input),
      outputSchema: schema(manifest.output),
      hosts: manifest.hosts ?? [],
      credentials: manifest.credentials ?? [],
      capabilities: manifest.capabilities ?? [],
    };
  },

  run(input) {
    running = true;
    for (const [level, message] of early.splice(0)) write(level, message);
    let output;
    try {
      output = agent.run(JSON.parse(input), host);
      if (typeof output?.then === "function") {
        throw new TypeError("run returned a promise; it has to return the output itself");
      }
      return JSON.stringify(output ?? null);
    } catch (error) {
      throw failure(error);
    }
  },
};
