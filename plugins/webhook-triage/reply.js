// Writes the reply that a maintainer would, to be read before it is posted.

const ASKS = {
  version: "Which version are you on (the output of `--version`, or the commit)?",
  "steps to reproduce": "What are the smallest steps that show it, from a fresh start?",
  "what was expected": "What did you expect to happen instead?",
  "the error message": "What is the whole error message or trace? As text in a code block, please.",
};

const OPENINGS = {
  bug: "Thanks for the report.",
  feature: "Thanks for the suggestion.",
  question: "Thanks for asking.",
  documentation: "Thanks for pointing this out.",
  unclear: "Thanks for writing.",
};

/** Markdown, or null where a form letter would only be noise. */
export function reply({ issue, kind, level, lacks, alike }) {
  const name = issue.user?.login;
  const greeting = name ? `Hi @${name}! ` : "";
  if (kind === "security") {
    return (
      `${greeting}Thank you for looking into this. So that others stay safe until there is a fix, please ` +
      "don't add details here: report it in private through the repository's *Security* tab " +
      "(*Report a vulnerability*). A maintainer will look at once."
    );
  }
  const parts = [`${greeting}${OPENINGS[kind]}`];
  const [closest] = alike;
  if (closest) {
    const closed = closest.state === "closed" ? " (closed)" : "";
    parts.push(
      `This looks close to #${closest.number}${closed}, "${closest.title}". Is it the same? If so, ` +
        "let's go on there; if not, tell us what differs.",
    );
  }
  if (lacks.length > 0) {
    parts.push(["To look into it we need a little more:", ...lacks.map((lack) => `- ${ASKS[lack]}`)].join("\n"));
  } else if (kind === "bug" && (level.level === "p0" || level.level === "p1")) {
    parts.push("All that is needed seems to be here; this goes to the top of the list.");
  } else if (kind === "feature") {
    parts.push("What would you use it for, and how do you get by today? That decides what to build.");
  } else if (kind === "unclear") {
    parts.push("Is this a bug, a wish or a question? A sentence on what you did and what happened would help.");
  }
  return parts.length > 1 ? parts.join("\n\n") : null;
}
