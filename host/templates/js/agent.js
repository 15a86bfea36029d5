// An agent that counts the words of a text.

/** @typedef {{ text: string, top?: number }} Input */
/** @typedef {{ words: number, top: [string, number][] }} Output */

/** @type {import("./aaasp").Manifest} */
export const manifest = {
  input: {
    type: "object",
    properties: {
      text: { type: "string", description: "The text to count." },
      top: {
        type: "integer",
        minimum: 0,
        description: "How many of the most frequent words to name; the deployment's `top`, or 3.",
      },
    },
    required: ["text"],
    additionalProperties: false,
  },
  output: {
    type: "object",
    properties: { words: { type: "integer" }, top: { type: "array" } },
    required: ["words", "top"],
  },
};

export class InvalidInput extends Error {
  /** @type {"invalid-input"} */
  failure = "invalid-input";
}

/** @type {import("./aaasp").Run<Input, Output>} */
export function run(input, host) {
  const words = input.text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  if (words.length === 0) {
    throw new InvalidInput("/text: has no words");
  }
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const word of words) {
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  console.info(`${words.length} words, ${counts.size} of them different`);
  const ranked = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  return { words: words.length, top: ranked.slice(0, input.top ?? Number(host.config("top") ?? 3)) };
}
