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
