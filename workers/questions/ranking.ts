/** Okapi BM25's two numbers, as its authors recommend (Robertson and Zaragoza, 2009, section 3.5). */
const K1 = 1.2;
const B = 0.75;

/**
 * How well each document answers a query, by BM25 with the idf that is never negative: 0 for one that has none of the query's
 * terms. Linear in all terms. Pure.
 */
export const scores = (query: readonly string[], documents: readonly (readonly string[])[]): number[] => {
  const wanted = new Set(query);
  const counts = documents.map((terms) => {
    const found = new Map<string, number>();
    for (const term of terms) if (wanted.has(term)) found.set(term, (found.get(term) ?? 0) + 1);
    return found;
  });
  const having = new Map<string, number>();
  for (const found of counts) for (const term of found.keys()) having.set(term, (having.get(term) ?? 0) + 1);
  const average = documents.reduce((sum, terms) => sum + terms.length, 0) / Math.max(1, documents.length);
  return counts.map((found, index) => {
    const length = documents[index]?.length ?? 0;
    let score = 0;
    for (const [term, often] of found) {
      const n = having.get(term) ?? 0;
      const idf = Math.log(1 + (documents.length - n + 0.5) / (n + 0.5));
      score += (idf * often * (K1 + 1)) / (often + K1 * (1 - B + (B * length) / Math.max(1, average)));
    }
    return score;
  });
};

/** Those that have anything of the query, best first; of equal ones the earlier. Pure. */
export const ranked = <T>(query: readonly string[], documents: readonly T[], terms: (document: T) => string[]): T[] => {
  const all = scores(query, documents.map(terms));
  return documents
    .map((document, index) => ({ document, score: all[index] ?? 0, index }))
    .filter(({ score }) => score > 0)
    .sort((one, other) => other.score - one.score || one.index - other.index)
    .map(({ document }) => document);
};
