/** What somebody probably meant by a word that is not one of the names there are. */

/** How many letters have to be put in, taken out, changed or swapped with their neighbour to make one word the other. */
export const distance = (a: string, b: string): number => {
  const rows = [...Array(a.length + 1)].map((_, i) =>
    [...Array(b.length + 1)].map((__, j) => (i === 0 ? j : j === 0 ? i : 0)),
  );
  const at = (i: number, j: number) => rows[i]?.[j] ?? 0;
  for (let i = 1; i <= a.length; i += 1) {
    for (let j = 1; j <= b.length; j += 1) {
      const change = at(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let least = Math.min(at(i - 1, j) + 1, at(i, j - 1) + 1, change);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        least = Math.min(least, at(i - 2, j - 2) + 1);
      const row = rows[i];
      if (row !== undefined) row[j] = least;
    }
  }
  return at(a.length, b.length);
};

const MAX_WORD = 64;

/** Up to `count` names that are near to a word, nearest first: a few letters off, or beginning alike. */
export const nearest = (word: string, names: readonly string[], count = 3): string[] => {
  const wanted = word.toLowerCase().slice(0, MAX_WORD);
  if (wanted === '') return [];
  const allowed = Math.max(1, Math.floor(wanted.length / 3));
  return names
    .map((name) => {
      const letters = name.toLowerCase().slice(0, MAX_WORD);
      const begins = wanted.length >= 2 && (letters.startsWith(wanted) || wanted.startsWith(letters));
      return { name, away: Math.min(distance(wanted, letters), begins ? 1 : Number.POSITIVE_INFINITY) };
    })
    .filter(({ away }) => away <= allowed)
    .sort((one, other) => one.away - other.away || one.name.localeCompare(other.name))
    .slice(0, count)
    .map(({ name }) => name);
};
