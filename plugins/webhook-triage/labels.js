// Tells what kind of issue this is, and which labels say so.

const KINDS = {
  security: [
    [/\b(vulnerabilit(y|ies)|cve-\d{4}-\d+|exploit(able)?|xss|csrf|sql injection|remote code execution|rce)\b/, 6],
    [/\b(path traversal|privilege escalation|auth(entication|orization)? bypass|(leak|expos)(s|es|ed|ing)? (the )?(secret|token|password|credential|api key)s?)\b/, 6],
  ],
  bug: [
    [/\b(crash(es|ed|ing)?|panic(s|ked)?|segfault|segmentation fault|stack ?overflow|deadlock(s|ed)?|hang(s|ing)?|freezes?)\b/, 4],
    [/\b(regression|used to work|worked (fine )?(in|with|before|until)|stopped working|since (the )?(update|upgrad\w+|v?\d+\.\d+))\b/, 4],
    [/\b(bug|broken|does(n't| not) work|not working|fails?|failed|failing|wrong|incorrect(ly)?|unexpected(ly)?)\b/, 3],
    [/\b(error|exception|traceback|stack ?trace|500|nullpointer\w*|undefined is not)\b/, 2],
    [/\b(steps to reproduce|to reproduce|expected (behaviou?r|result)|actual (behaviou?r|result))\b/, 3],
  ],
  feature: [
    [/\b(feature request|enhancement|proposal|rfc)\b/, 5],
    [/\b(would be (nice|great|useful|helpful)|it('d| would) be (nice|great|useful|helpful)|i wish|please (add|support)|could you add)\b/, 4],
    [/\b(add|support|allow|provide|implement|introduce)( (an?|the|for))?\b/, 1],
    [/\b(use case|motivation|alternatives( you('ve| have))? considered)\b/, 2],
  ],
  documentation: [
    [/\b(documentation|docs|readme|tutorial|guide|changelog|docstrings?)\b/, 3],
    [/\b(typo|misspell\w*|grammar|dead link|broken link|outdated (example|page|section))\b/, 4],
  ],
  question: [
    [/\b(how (do|can|should|would|to)|what('s| is) the (best|right|recommended) way|is (it|there) (possible|a way)|can (i|we|someone))\b/, 4],
    [/\b(question|wondering|confused|understand|clarif(y|ication))\b/, 2],
  ],
};

const AREAS = {
  performance: [/\b(slow(er|ly|ness)?|performance|latency|memory leak|out of memory|oom|high (cpu|memory)|100 ?% cpu)\b/],
  "platform/windows": [/\b(windows( 1[01])?|powershell|win(32|64)|cmd\.exe)\b/],
  "platform/macos": [/\b(macos|mac os x?|os x|apple silicon|m[1-4] (mac|pro|max)|homebrew)\b/],
  "platform/linux": [/\b(linux|ubuntu|debian|fedora|arch linux|alpine|musl)\b/],
  build: [/\b(compil(e|es|ing|ation)|does(n't| not) build|build (fails?|failure|error)|linker|cmake|makefile|npm install|pip install|cargo build)\b/],
  accessibility: [/\b(accessibility|a11y|screen reader|keyboard navigation|contrast)\b/],
};

/** A trace pasted as code is a bug whatever the prose says. */
const TRACE = /(^|\n)\s*(Traceback \(most recent call last\)|thread '[^']*'.* panicked at|panic: |\s+at .+\(.+:\d+:\d+\)|Exception in thread|Segmentation fault|AssertionError)/;
/** The least that a kind has to score; under it the issue is `unclear`. */
const LEAST_SCORE = 3;

/** The kind, and the labels with the words that speak for each. */
export function labels(text, areas) {
  const scored = Object.entries(KINDS).map(([kind, patterns]) => score(kind, patterns, text));
  if (TRACE.test(text.code)) {
    const bug = scored.find((it) => it.kind === "bug");
    bug.score += 5;
    bug.words.push("a stack trace");
  }
  const ask = scored.find((it) => it.kind === "question");
  if (/\?\s*$/.test(text.title)) {
    ask.score += 3;
    ask.words.push("a title that asks");
  }
  // Security outranks everything that mentions it in earnest: the costs of a miss differ.
  const security = scored.find((it) => it.kind === "security");
  scored.sort((a, b) => b.score - a.score);
  const best = security.score >= LEAST_SCORE ? security : scored[0];
  const proposed = [];
  if (best.score >= LEAST_SCORE) proposed.push({ name: best.kind, because: because(best.words) });
  for (const [name, words] of areaWords(text, areas)) {
    proposed.push({ name, because: because(words) });
  }
  return { kind: best.score >= LEAST_SCORE ? best.kind : "unclear", proposed };
}

function score(kind, patterns, text) {
  let total = 0;
  const words = [];
  for (const [pattern, weight] of patterns) {
    // A title is chosen with care: what stands there counts double.
    const inTitle = pattern.exec(text.title);
    const match = inTitle ?? pattern.exec(text.prose);
    if (match) {
      total += inTitle ? 2 * weight : weight;
      words.push(match[0]);
    }
  }
  return { kind, score: total, words };
}

function* areaWords(text, own) {
  for (const [name, patterns] of Object.entries(AREAS)) {
    const words = patterns.map((pattern) => pattern.exec(text.all)?.[0]).filter(Boolean);
    if (words.length > 0) yield [name, words];
  }
  for (const [name, keywords] of Object.entries(own)) {
    const words = keywords.filter((word) => containsWord(text.all, word.toLowerCase()));
    if (words.length > 0) yield [name, words];
  }
}

function containsWord(text, word) {
  const escaped = word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`(^|[^\\p{L}\\p{N}])${escaped}($|[^\\p{L}\\p{N}])`, "u").test(text);
}

function because(words) {
  return [...new Set(words)].slice(0, 3).map((word) => (word.includes(" ") && word.startsWith("a ") ? word : `"${word}"`)).join(", ");
}
