// The agent on events that a tracker sees every day.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { run } from "./agent.js";

const sample = JSON.parse(readFileSync(new URL("sample.json", import.meta.url), "utf8"));
const host = { config: () => null };

function triage(title, body = "", more = {}, deployment = host) {
  const { known_issues, action = "opened", ...issue } = more;
  return run({ action, issue: { number: 7, title, body, ...issue }, known_issues }, deployment);
}

test("the sample is an urgent bug with a duplicate, one answer short", () => {
  const result = run(sample, host);
  assert.equal(result.kind, "bug");
  assert.equal(result.priority.level, "p0");
  assert.deepEqual(result.duplicates.map((other) => other.number), [455]);
  assert.deepEqual(result.mentions, [455]);
  assert.deepEqual(result.missing, ["what was expected"]);
  assert.deepEqual(result.labels_to_add, ["platform/linux", "priority/p0", "needs-info"]);
  assert.match(result.reply, /@mira.*\n\n.*#455/s);
});

test("kinds are told apart", () => {
  for (const [title, body, kind] of [
    ["Panic in parser", "It panicked at line 3", "bug"],
    ["Add support for YAML", "It would be great to have it. Use case: our configs.", "feature"],
    ["How do I change the port?", "", "question"],
    ["Typo in README", "The tutorial says `instal`", "documentation"],
    ["XSS in comment field", "A vulnerability: any script runs", "security"],
    ["hello", "hi there", "unclear"],
  ]) {
    assert.equal(triage(title, body).kind, kind, title);
  }
});

test("a trace in a code block makes a bug of any prose", () => {
  const trace = "This came up:\n```\nTraceback (most recent call last):\n  File \"a.py\"\n```";
  assert.equal(triage("Importer", trace).kind, "bug");
});

test("code, quotes and template comments are not prose", () => {
  const body = "<!-- describe the crash -->\n> the vulnerability is known\n```\nerror: crash\n```\nHow do I set a key?";
  assert.equal(triage("Setting a key", body).kind, "question");
});

test("a security report is urgent and asked to move to a private place", () => {
  const result = triage("Path traversal in upload", "`../` is not checked");
  assert.equal(result.priority.level, "p0");
  assert.match(result.reply, /private/);
  assert.deepEqual(result.missing, []);
});

test("a wish never wakes anybody, however urgent it sounds", () => {
  const result = triage("Feature request: dark mode", "Please add it, we are blocked, all users want it in production");
  assert.equal(result.kind, "feature");
  assert.equal(result.priority.level, "p2");
});

test("a cosmetic bug with a workaround can wait, and `no workaround` is none", () => {
  const calm = triage("Wrong alignment of the button", "Cosmetic; resizing is a workaround. Version 1.2.3");
  assert.equal(calm.priority.level, "p3");
  const pressing = triage("Wrong total", "There is no workaround");
  assert.ok(pressing.priority.because.includes("there is no way around"));
  assert.ok(!pressing.priority.because.includes("there is a workaround"));
});

test("a bare bug report is asked for what it lacks, a full one for nothing", () => {
  const bare = triage("It crashes", "Please fix");
  assert.deepEqual(bare.missing, ["version", "steps to reproduce", "what was expected", "the error message"]);
  assert.match(bare.reply, /Which version/);
  const full = triage(
    "It crashes",
    "Version 1.2.3. Steps to reproduce:\n1. run it\n\nI expected a report.\n```\nerror: no input\n```",
  );
  assert.deepEqual(full.missing, []);
});

test("an unanswered heading of an issue form is no answer", () => {
  const form = "### Version\n\n_No response_\n\n### Steps to reproduce\n\nN/A\n\n### What happened\n\nIt is broken";
  const { missing } = triage("Something is broken", form);
  assert.ok(missing.includes("version") && missing.includes("steps to reproduce"), missing.join());
});

test("duplicates need more than a shared subject, and an issue is not its own duplicate", () => {
  const known_issues = [
    { number: 7, title: "Login button does nothing on Safari" },
    { number: 8, title: "Login button does nothing in Safari 17" },
    { number: 9, title: "Login page: add a button for passkeys" },
    { number: 10, title: "Crash on export" },
  ];
  const result = triage("Login button does nothing on Safari", "", { known_issues });
  assert.deepEqual(result.duplicates.map((other) => other.number), [8]);
});

test("the deployment's own areas become labels", () => {
  const deployment = { config: (key) => (key === "areas" ? '{"area/c++":["C++","headers"]}' : null) };
  const names = triage("Docs for C++ are missing", "", {}, deployment).labels.map((label) => label.name);
  assert.ok(names.includes("area/c++"));
  const broken = { config: () => "{" };
  assert.throws(() => triage("x", "", {}, broken), /`areas` is no JSON/);
});

test("labels that are there are not proposed again", () => {
  const result = triage("Typo in README", "", { labels: [{ name: "Documentation" }] });
  assert.ok(!result.labels_to_add.includes("documentation"));
});

test("events that say nothing new are passed over with the reason", () => {
  assert.match(triage("x", "", { action: "closed" }).summary, /was closed/);
  assert.match(triage("x", "", { pull_request: {} }).summary, /pull request/);
  assert.match(triage("x", "", { user: { type: "Bot" } }).summary, /bot/);
  assert.equal(triage("x", "", { action: "closed" }).act, false);
});

test("an issue without a body is triaged by its title", () => {
  assert.equal(triage("Crash at start", null).kind, "bug");
});
