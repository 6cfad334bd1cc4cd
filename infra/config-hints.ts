import { z } from 'zod';
import type { ConfigFault } from './config-faults.ts';

/** How many letters one has to be changed, added, taken away, or swapped with the next, to make one word of the other. */
const distance = (one: string, other: string): number => {
  let before: number[] = [];
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let i = 1; i <= one.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= other.length; j += 1) {
      const same = one[i - 1] === other[j - 1];
      let least = Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (same ? 0 : 1));
      if (i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1])
        least = Math.min(least, (before[j - 2] ?? 0) + 1);
      next.push(least);
    }
    before = row;
    row = next;
  }
  return row[other.length] ?? 0;
};

/** Without what people write differently: capitals, dashes, underscores, a plural. */
const plain = (word: string): string =>
  word
    .toLowerCase()
    .replace(/[-_\s]/g, '')
    .replace(/s$/, '');

/** Of `known` the word that was meant by `word`; undefined when none is near. */
export const nearestWord = (word: string, known: readonly string[]): string | undefined => {
  const wanted = plain(word.slice(0, 60));
  const ranked = known
    .map((each) => ({ each, away: distance(wanted, plain(each)) }))
    .sort((one, other) => one.away - other.away);
  const [best] = ranked;
  return best !== undefined && best.away <= Math.max(1, Math.floor(wanted.length / 3)) ? best.each : undefined;
};

/** The schemas inside of one, down to those that have parts: what stands around them (defaults, refinements) is left away. */
const within = (schema: z.core.$ZodType): readonly z.core.$ZodType[] => {
  if (schema instanceof z.ZodPipe) return [...within(schema.def.in), ...within(schema.def.out)];
  if (schema instanceof z.ZodUnion) return schema.def.options.flatMap(within);
  if (
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault ||
    schema instanceof z.ZodReadonly ||
    schema instanceof z.ZodNullable
  ) {
    return within(schema.def.innerType);
  }
  return [schema];
};

const stepInto = (schema: z.core.$ZodType, step: PropertyKey): readonly z.core.$ZodType[] => {
  if (schema instanceof z.ZodObject) {
    const part: z.core.$ZodType | undefined = schema.def.shape[String(step)];
    return part === undefined ? [] : within(part);
  }
  if (schema instanceof z.ZodArray) return within(schema.def.element);
  return schema instanceof z.ZodRecord ? within(schema.def.valueType) : [];
};

/** The keys that a schema knows at a path. */
export const keysAt = (schema: z.ZodType, path: readonly PropertyKey[]): string[] => {
  let here = within(schema);
  for (const step of path) here = here.flatMap((each) => stepInto(each, step));
  return [...new Set(here.flatMap((each) => (each instanceof z.ZodObject ? Object.keys(each.def.shape) : [])))];
};

/** `; did you mean hostRules?`, when a key is a misspelt one of those that the schema knows there; else what there is. */
export const misspeltHint = (schema: z.ZodType, path: readonly PropertyKey[], key: string): string => {
  const known = keysAt(schema, path);
  const meant = nearestWord(key, known);
  if (meant !== undefined) return `; did you mean ${meant}?`;
  return known.length === 0 ? '' : `; there are ${known.join(', ')}`;
};

/** What a schema has against a value: a fault for each key that it does not know, and for everything else one. */
export const schemaFaults = (error: z.ZodError, schema: z.ZodType): ConfigFault[] =>
  error.issues.flatMap((issue): ConfigFault[] =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => ({
          path: [...issue.path, key],
          message: `there is no such setting${misspeltHint(schema, issue.path, key)}`,
          stray: nearestWord(key, keysAt(schema, issue.path)) === undefined,
        }))
      : [{ path: issue.path, message: issue.message }],
  );
