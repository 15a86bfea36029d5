// Looks for issues that may be the same.

import { terms } from "./text.js";

/** Under this two issues share a subject at most. Tried on titles of real trackers: 0.3 is noise. */
const LEAST_SIMILARITY = 0.34;
const SHOWN = 5;

/**
 * The known issues most alike, by the cosine of their words' weights: a word that few issues have
 * weighs more, one in the title three times as much as one in the body.
 */
export function duplicates(issue, known) {
  const others = known.filter((other) => other.number !== issue.number);
  if (others.length === 0) return [];
  const documents = [issue, ...others].map(counted);
  const rarity = new Map();
  for (const document of documents) {
    for (const term of document.keys()) rarity.set(term, (rarity.get(term) ?? 0) + 1);
  }
  const weigh = (document) =>
    new Map([...document].map(([term, count]) => [term, count * (1 + Math.log(documents.length / rarity.get(term)))]));
  const [own, ...rest] = documents.map(weigh);
  return others
    .map((other, index) => ({
      number: other.number,
      title: other.title,
      state: other.state ?? null,
      similarity: Math.round(cosine(own, rest[index]) * 100) / 100,
      shared: shared(own, rest[index]),
    }))
    .filter((other) => other.similarity >= LEAST_SIMILARITY)
    .sort((a, b) => b.similarity - a.similarity || a.number - b.number)
    .slice(0, SHOWN);
}

/** Other issues that the text names. */
export function mentions(text, own) {
  const numbers = [...text.all.matchAll(/(?:^|[\s(,[])#(\d{1,7})\b/g)].map((match) => Number(match[1]));
  return [...new Set(numbers)].filter((number) => number !== own).sort((a, b) => a - b);
}

function counted({ title, body }) {
  const counts = new Map();
  for (const term of terms(title)) counts.set(term, (counts.get(term) ?? 0) + 3);
  // A long trace must not drown the words of the report.
  for (const term of new Set(terms((body ?? "").slice(0, 4000)))) counts.set(term, (counts.get(term) ?? 0) + 1);
  return counts;
}

function cosine(a, b) {
  let dot = 0;
  for (const [term, weight] of a) dot += weight * (b.get(term) ?? 0);
  const length = (vector) => Math.sqrt([...vector.values()].reduce((sum, weight) => sum + weight * weight, 0));
  return dot === 0 ? 0 : dot / (length(a) * length(b));
}

function shared(a, b) {
  return [...a.keys()]
    .filter((term) => b.has(term))
    .sort((x, y) => a.get(y) * b.get(y) - a.get(x) * b.get(x))
    .slice(0, 5);
}
