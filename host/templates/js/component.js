// Joins the agent to the contract `aaasp:agent`. Written by `aaasp build`, at every build anew.

import logging from "wasi:logging/logging@0.1.0-draft";
import store from "wasi:config/store@0.2.0-rc.1";

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

const host = {
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
