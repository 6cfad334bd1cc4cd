import { z } from 'zod';

/** A pattern of host names: `*` stands for any letters, dots included. */
export const HostPattern = z
  .string()
  .min(1)
  .max(253)
  .regex(/^[A-Za-z0-9*][A-Za-z0-9.*_-]*$/, 'has only letters, digits, dots, dashes and *');

/**
 * Whether a name fits a pattern as a whole. In time that grows with name times pattern, whatever both hold: no regular expression,
 * which many stars could make slow.
 */
export const globMatch = (pattern: string, name: string): boolean => {
  let at = 0;
  let star = -1;
  let resume = 0;
  let i = 0;
  while (i < name.length) {
    if (pattern[at] === '*') {
      star = at;
      resume = i;
      at += 1;
    } else if (pattern[at] === name[i]) {
      at += 1;
      i += 1;
    } else if (star >= 0) {
      // The last star takes one letter more.
      resume += 1;
      i = resume;
      at = star + 1;
    } else {
      return false;
    }
  }
  while (pattern[at] === '*') at += 1;
  return at === pattern.length;
};
