// The agent as a function: what it answers, and what it refuses.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { InvalidInput, run } from "./agent.js";

const host = { config: () => null };
const sample = JSON.parse(readFileSync(new URL("input.json", import.meta.url), "utf8"));

test("the sample input is counted", () => {
  assert.deepEqual(run(sample, host), { words: 8, top: [["the", 3], ["home", 1]] });
});

test("the deployment says how many words are named when the input does not", () => {
  const one = { config: (key) => (key === "top" ? "1" : null) };
  assert.deepEqual(run({ text: "b a b" }, one).top, [["b", 2]]);
});

test("a text without words is refused", () => {
  assert.throws(() => run({ text: " " }, host), InvalidInput);
});
