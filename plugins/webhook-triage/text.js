// Takes the text of an issue apart: prose, code, headings, and the words in it.

const FENCE = /```[^\n]*\n([\s\S]*?)(?:```|$)/g;
const COMMENT = /<!--[\s\S]*?-->/g;
const UNANSWERED = /^\s*(_no response_|n\/?a|none|-)?\s*$/i;

const STOP_WORDS = new Set(
  ("a about after all also am an and any are as at be because been before but by can cannot could did do " +
    "does doesn don for from get gets got had has have how i if in into is isn it its just like me my no not " +
    "now of on only or our out please same should since so some t than that the their then there these they " +
    "this to too up use used using ve very was we were what when where which while who why will with would " +
    "you your bug feature request issue question help").split(" "),
);

/** What the heuristics look at. `prose` is lower case, without code, quotes and template comments. */
export function read(title, body) {
  const visible = body.replaceAll("\r\n", "\n").replace(COMMENT, "");
  const code = [...visible.matchAll(FENCE)].map((match) => match[1]).join("\n");
  const prose = visible
    .replace(FENCE, "\n")
    .split("\n")
    .filter((line) => !/^\s*>/.test(line))
    .join("\n");
  return {
    title: title.toLowerCase(),
    prose: prose.toLowerCase(),
    all: `${title}\n${prose}`.toLowerCase(),
    code,
    sections: sections(prose),
  };
}

/** Headings of an issue form and what was written under each; unanswered ones are empty. */
function sections(prose) {
  const found = new Map();
  let heading = null;
  for (const line of prose.split("\n")) {
    const match = /^\s*(?:#{1,6}\s+(.+?)\s*#*|\*\*(.+?)\*\*:?)\s*$/.exec(line);
    if (match) {
      heading = (match[1] ?? match[2]).toLowerCase();
      found.set(heading, "");
    } else if (heading !== null) {
      found.set(heading, `${found.get(heading)}${line}\n`);
    }
  }
  for (const [name, answer] of found) {
    if (UNANSWERED.test(answer)) found.set(name, "");
  }
  return found;
}

/** The words that carry meaning, each cut to a rough stem. */
export function terms(text) {
  const words = text.toLowerCase().match(/[\p{L}\p{N}][\p{L}\p{N}_.-]*[\p{L}\p{N}]|[\p{L}]/gu) ?? [];
  return words.filter((word) => word.length > 1 && !STOP_WORDS.has(word)).map(stem);
}

function stem(word) {
  if (word.length <= 4 || /[\d._-]/.test(word)) return word;
  return word.replace(/(?:ings?|edly|ed|es|s|ly)$/, "");
}
