/** A test of a whole text. */
export type Test = (text: string) => boolean;

/** A glob of `*` and `?` as a test of the whole text. */
export const globTest = (pattern: string): ((text: string) => boolean) => {
  const source = pattern
    .split(/([*?]+)/)
    .map((piece) =>
      /^[*?]+$/.test(piece)
        ? // Several stars in a row would make the match slow and mean the same.
          `${'.'.repeat(piece.split('?').length - 1)}${piece.includes('*') ? '.*' : ''}`
        : piece.replace(/[\\^$.|+()[\]{}]/g, '\\$&'),
    )
    .join('');
  const stars = source.split('.*').length - 1;
  // What a pattern of many stars costs grows with their power: such a one is taken piece by piece instead.
  if (stars > 3) return inOrder(pattern);
  const regex = new RegExp(`^${source}$`, 's');
  return (text) => regex.test(text);
};

/** Whether the pieces between the stars stand in a text in their order; `?` is taken literally. */
const inOrder =
  (pattern: string) =>
  (text: string): boolean => {
    const pieces = pattern.split('*');
    const [first = ''] = pieces;
    const last = pieces.at(-1) ?? '';
    if (!text.startsWith(first) || !text.endsWith(last) || text.length < first.length + last.length) return false;
    let at = first.length;
    for (const piece of pieces.slice(1, -1)) {
      const found = text.indexOf(piece, at);
      if (found < 0) return false;
      at = found + piece.length;
    }
    return at <= text.length - last.length;
  };
