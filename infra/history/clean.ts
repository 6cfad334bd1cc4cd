/**
 * A text as PostgreSQL takes it: without NUL, which neither `text` nor `jsonb` can hold (manual, 8.3 and 8.14), and without
 * halves of surrogate pairs, which `jsonb` refuses. Both are shown instead of dropped.
 */
export const storable = (text: string): string => text.replaceAll('\0', '␀').replace(/\p{Surrogate}/gu, '\ufffd');

/** A value as JSON for a `jsonb` column, all its texts and keys storable. */
export const storableJson = (value: unknown): string => {
  const clean = (each: unknown): unknown => {
    if (typeof each === 'string') return storable(each);
    if (Array.isArray(each)) return each.map(clean);
    if (typeof each !== 'object' || each === null) return each;
    return Object.fromEntries(Object.entries(each).map(([key, inner]) => [storable(key), clean(inner)]));
  };
  return JSON.stringify(clean(value)) ?? 'null';
};
