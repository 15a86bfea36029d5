// Tells how soon somebody should look, and why.

const SIGNALS = [
  [5, "data may be lost", /\b(data ?loss|los(es?|t|ing) (my |our |all |the )?(data|work|changes|files)|corrupt(s|ed|ion)?|delet(es|ed) (my|our|all))\b/],
  [4, "production is affected", /\b(in production|prod(uction)? (is )?(down|outage|broken)|outage|all (our )?(users|customers)|down for)\b/],
  [3, "it is a regression", /\b(regression|used to work|worked (fine )?(in|with|before|until)|stopped working|since (the )?(update|upgrad\w+|v?\d+\.\d+))\b/],
  [3, "it crashes", /\b(crash(es|ed|ing)?|panic(s|ked)?|segfault|deadlock(s|ed)?|hang(s|ing)?)\b/],
  [2, "there is no way around", /\b(block(s|ed|er|ing)|no workaround|can(no|')t (use|start|build|install|log ?in|upgrade)|unusable)\b/],
  [1, "more than one person meets it", /\b(me too|\+1|same (here|issue|problem)|several (users|people)|many (users|people))\b/],
  [-2, "there is a workaround", /\b(workaround|work around|as a temporary fix)\b/],
  [-2, "it is cosmetic", /\b(typo|cosmetic|alignment|misspell\w*|nit(pick)?|minor)\b/],
  [-1, "it happens rarely", /\b(rare(ly)?|once in a while|edge case|corner case)\b/],
];

/** What a kind starts from. */
const BASE = { security: 8, bug: 2, documentation: 0, feature: 0, question: 0, unclear: 1 };
const LEVELS = [
  [8, "p0"],
  [5, "p1"],
  [2, "p2"],
  [-Infinity, "p3"],
];

/** `p0` (now) to `p3` (some day), with the reasons. "There is no workaround" is not a workaround. */
export function priority(text, kind, association) {
  let score = BASE[kind];
  const because = [kind === "unclear" ? "its kind is unclear" : `it is a ${kind} matter`];
  const words = text.all.replace(/\b(no|without( a| any)?|isn't a|not a) workaround/g, "no way, blocked");
  for (const [weight, reason, pattern] of SIGNALS) {
    if (pattern.test(words)) {
      score += weight;
      because.push(reason);
    }
  }
  if (["OWNER", "MEMBER", "COLLABORATOR"].includes(association)) {
    score += 1;
    because.push("a maintainer wrote it");
  }
  // Wishes and questions can be urgent to their author; they don't wake anybody.
  if (["feature", "question", "documentation"].includes(kind)) score = Math.min(score, 4);
  const [, level] = LEVELS.find(([least]) => score >= least);
  return { level, score, because };
}
