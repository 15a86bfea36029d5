// Tells what a maintainer would have to ask for first.

const WANTED = {
  version: {
    heading: /version|environment/,
    words: /\bv?\d+\.\d+(\.\d+)?\b|\bversion\s*:?\s*\d+|\b(latest|nightly|main|master)\b|\b[0-9a-f]{7,40}\b/,
  },
  "steps to reproduce": {
    heading: /reproduc|steps/,
    words: /\b(to reproduce|steps|repro(duction)?)\b|(^|\n)\s*1[.)]\s|\bwhen i (run|click|call|open|use|try)\b|\b(run|ran|running) `/,
    code: true,
  },
  "what was expected": {
    heading: /expected/,
    words: /\b(expect(ed|s|ing)?|should(n't| not)? (be|have|return|work|show|print)|instead of)\b/,
  },
  "the error message": {
    heading: /log|output|error|trace/,
    words: /\b(error|exception|panicked|traceback)\b\s*:/,
    code: true,
    only: /\b(error|exception|crash\w*|panic\w*|fails?|failed|failing)\b/,
  },
};

/** What a bug report lacks, in words that can be asked for; other kinds lack nothing. */
export function missing(text, kind) {
  if (kind !== "bug") return [];
  return Object.entries(WANTED)
    .filter(([, wanted]) => !wanted.only || wanted.only.test(text.all))
    .filter(([, wanted]) => !answered(text, wanted))
    .map(([name]) => name);
}

function answered(text, wanted) {
  const asked = [...text.sections].filter(([heading]) => wanted.heading.test(heading));
  if (asked.some(([, answer]) => answer !== "")) return true;
  if (wanted.code && text.code.trim() !== "") return true;
  // An issue form's own headings are no answer: only what is written under them or before counts.
  const written = text.sections.size > 0 ? [text.title, ...text.sections.values()].join("\n") : text.all;
  return wanted.words.test(written);
}
