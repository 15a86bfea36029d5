// An agent that triages one GitHub issue event: labels, priority, duplicates, what is missing, a reply.

import { duplicates, mentions } from "./duplicates.js";
import { labels } from "./labels.js";
import { missing } from "./missing.js";
import { priority } from "./priority.js";
import { reply } from "./reply.js";
import { read } from "./text.js";

/** Actions after which an issue says something new. */
const ACTIONS = new Set(["opened", "edited", "reopened", "transferred"]);

const knownIssue = {
  type: "object",
  properties: {
    number: { type: "integer" },
    title: { type: "string" },
    body: { type: ["string", "null"] },
    state: { type: "string" },
  },
  required: ["number", "title"],
};

export const manifest = {
  input: {
    description: "The payload of GitHub's webhook `issues`, to which `known_issues` may be added.",
    type: "object",
    properties: {
      action: { type: "string" },
      issue: {
        type: "object",
        properties: {
          number: { type: "integer" },
          title: { type: "string" },
          body: { type: ["string", "null"] },
          labels: {
            type: "array",
            items: { type: "object", properties: { name: { type: "string" } }, required: ["name"] },
          },
          author_association: { type: "string" },
          user: { type: ["object", "null"] },
        },
        required: ["number", "title"],
      },
      repository: { type: "object", properties: { full_name: { type: "string" } } },
      known_issues: {
        description: "Other issues of the repository, to look for duplicates among.",
        type: "array",
        items: knownIssue,
      },
    },
    required: ["action", "issue"],
  },
  output: {
    type: "object",
    properties: {
      summary: { type: "string" },
      act: { type: "boolean", description: "False when there is nothing to do; the summary says why." },
      kind: { enum: ["bug", "feature", "question", "documentation", "security", "unclear"] },
      labels: { type: "array", items: { type: "object" } },
      labels_to_add: { type: "array", items: { type: "string" } },
      priority: { type: "object" },
      duplicates: { type: "array", items: { type: "object" } },
      mentions: { type: "array", items: { type: "integer" } },
      missing: { type: "array", items: { type: "string" } },
      reply: { type: ["string", "null"], description: "Markdown, ready to post." },
    },
    required: ["summary", "act"],
  },
};

export function run(event, host) {
  const pass = reasonToPass(event);
  if (pass) {
    console.info(`nothing to do: ${pass}`);
    return { summary: `Nothing to do: ${pass}.`, act: false };
  }
  const { issue } = event;
  const text = read(issue.title, issue.body ?? "");
  const { kind, proposed } = labels(text, areas(host));
  const level = priority(text, kind, issue.author_association);
  const lacks = missing(text, kind);
  const alike = duplicates(issue, event.known_issues ?? []);
  const there = new Set((issue.labels ?? []).map((label) => label.name.toLowerCase()));
  const wanted = [...proposed.map((label) => label.name), `priority/${level.level}`];
  if (lacks.length > 0) wanted.push("needs-info");
  const result = {
    act: true,
    kind,
    labels: proposed,
    labels_to_add: wanted.filter((name) => !there.has(name.toLowerCase())),
    priority: level,
    duplicates: alike,
    mentions: mentions(text, issue.number),
    missing: lacks,
    reply: reply({ issue, kind, level, lacks, alike }),
  };
  console.info(`#${issue.number}: ${kind}, ${level.level}, ${alike.length} possible duplicates`);
  return { summary: summary(issue, result), ...result };
}

function reasonToPass({ action, issue }) {
  if (!ACTIONS.has(action)) return `the issue was ${action}`;
  if (issue.pull_request) return `#${issue.number} is a pull request`;
  if (issue.user?.type === "Bot") return `#${issue.number} was written by a bot`;
  return null;
}

/** The deployment may name areas of its own: `{"area/cli": ["flag", "command line"]}` as JSON. */
function areas(host) {
  const written = host.config("areas");
  if (written === null || written === undefined) return {};
  let parsed;
  try {
    parsed = JSON.parse(written);
  } catch (error) {
    throw new Error(`the deployment's \`areas\` is no JSON: ${error.message}`);
  }
  for (const [label, words] of Object.entries(parsed)) {
    if (!Array.isArray(words) || !words.every((word) => typeof word === "string")) {
      throw new Error(`the deployment's \`areas\`: "${label}" is no list of words`);
    }
  }
  return parsed;
}

function summary(issue, result) {
  const lines = [
    `#${issue.number} "${issue.title}"`,
    `  kind      ${result.kind}`,
    `  priority  ${result.priority.level}: ${result.priority.because.join("; ")}`,
    `  labels    ${result.labels.map((label) => `${label.name} (${label.because})`).join(", ") || "none"}`,
  ];
  if (result.missing.length > 0) lines.push(`  missing   ${result.missing.join(", ")}`);
  for (const other of result.duplicates) {
    lines.push(`  like      #${other.number} "${other.title}" (${Math.round(other.similarity * 100)} %)`);
  }
  return lines.join("\n");
}
