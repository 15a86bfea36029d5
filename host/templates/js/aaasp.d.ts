// The types of an AAASP agent in JavaScript.

/** A JSON Schema, draft 2020-12. */
export type JsonSchema = { readonly [keyword: string]: unknown } | boolean;

/** What an agent says of itself; its name and description are those of package.json. */
export interface Manifest {
  /** What `run` accepts: the host refuses anything else before a run begins. */
  input?: JsonSchema;
  /** What `run` promises. */
  output?: JsonSchema;
  /** Hosts that the agent wants to reach: `api.github.com`, `*.example.org`. */
  hosts?: string[];
  /** Names of the credentials that it wants used on its behalf. */
  credentials?: string[];
  /** Capabilities that a deployment has to grant. */
  capabilities?: string[];
}

/** What the host offers to a run. */
export interface Host {
  /** The deployment's configuration: the value of a key, or null when it is not set. */
  config(key: string): string | null;

  /** Language models, where the deployment grants them with `models`. What they throw is a {@link ModelError}. */
  model: Models;
}

/** Language models. What is asked and answered is kept nowhere, unless the deployment sets `log_output`. */
export interface Models {
  /** Names of the models that the deployment grants. */
  names(): string[];
  /** Asks a model, and waits for its whole answer. A text is one message of a user. */
  chat(request: string | Chat): Answer;
  /** Asks a model, and gives its answer out as it comes; leaving the loop ends it. */
  stream(request: string | Chat): Iterable<Piece>;
  /** Vectors for texts, in their order. */
  embed(texts: string[], model?: string): { vectors: number[][]; usage: Usage };
}

/** A question: a conversation so far, and how it is to be answered. */
export interface Chat {
  /** A name that the deployment grants; the first one when absent. */
  model?: string;
  messages: Message[];
  tools?: { name: string; description: string; parameters: JsonSchema }[];
  /** Whether a tool has to be called; as the model sees fit when absent. */
  toolChoice?: "auto" | "none" | "required" | { name: string };
  /** What the answer's text has to fit, as JSON. */
  schema?: JsonSchema;
  maxTokens?: number;
  temperature?: number;
  stop?: string[];
}

/** One message of a conversation; a system message stands first, if at all. */
export type Message =
  | { role: "system" | "user"; content: string }
  | { role: "assistant"; content?: string; calls?: ToolCall[] }
  | { role: "tool"; call: string; content: string; failed?: boolean };

/** A call of a tool that the model asks for. */
export interface ToolCall {
  /** Names the call; its result names it too. */
  id: string;
  name: string;
  /** Null when the model wrote no JSON. */
  arguments: unknown;
  /** The host's own; it has to come back with the call, as it is. */
  opaque: string;
}

/** Why an answer ended. */
export type Finish = "stop" | "length" | "tool-calls" | "filtered" | "other";

/** Tokens of one call: what the run is charged for. */
export interface Usage {
  input: number;
  output: number;
  /** Of the input, what the provider had in its cache. */
  cached: number;
  /** Whether the provider counted; if not, the host counts bytes. */
  reported: boolean;
}

/** A whole answer. */
export interface Answer {
  text: string;
  calls: ToolCall[];
  finish: Finish;
  usage: Usage;
}

/** A piece of an answer; the last one has its end. */
export type Piece = { text: string } | { call: ToolCall } | { finish: Finish; usage: Usage };

/** Why a model does not answer. What may pass is `retryable`. */
export interface ModelError extends Error {
  kind:
    | "not-granted"
    | "unknown-model"
    | "invalid"
    | "refused"
    | "rate-limited"
    | "limit-reached"
    | "unavailable";
  failure?: "retryable";
  /** When it may be asked again, where the provider said so. */
  retryAfterMs?: number;
}

/** One run. What it throws ends the run: see {@link Refusal}. */
export type Run<Input, Output> = (input: Input, host: Host) => Output;

/**
 * An error with this property says whom it concerns: `invalid-input` means that the same input will
 * fail again, `retryable` that it may succeed later. Any other error is a plain failure, its stack
 * in the log.
 */
export interface Refusal extends Error {
  failure: "invalid-input" | "retryable";
}

declare global {
  /** Writes to the log of the run; objects are written as JSON. */
  const console: Record<"debug" | "log" | "info" | "warn" | "error", (...values: unknown[]) => void>;
}
