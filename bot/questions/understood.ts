import type { FollowUp } from '../follow-up.ts';

/** Fewer words without a question mark are a verb that was mistyped, with what it takes. */
const LEAST_WORDS = 3;

/** A word as people write sentences with, not an option, a path or a mention. */
const PLAIN = /^[\p{L}\p{N}][\p{L}\p{M}\p{N}'’_.-]*[,:;.!]?$/u;

/** `on HOST PID` at the end belongs to a tool. */
const namesProcess = (words: readonly string[]): boolean =>
  words.at(-3)?.toLowerCase() === 'on' && /^\d+$|:/.test(words.at(-1) ?? '');

/**
 * Whether what somebody said to the bot in a thread is a question in their own words and not a thread command, perhaps a
 * mistyped one. A verb that begins a sentence (“why is thread 25 stuck?”) is a word of that sentence.
 */
export const isQuestion = (words: readonly string[], followUps: ReadonlyMap<string, FollowUp>): boolean => {
  const [first = '', ...rest] = words;
  const asks = /[?？]["”’)]*$/.test(words.at(-1) ?? '');
  const verb = followUps.get(first.toLowerCase());
  if (verb !== undefined) {
    if (rest.length === 0 || namesProcess(words)) return false;
    // One that takes nothing was not meant as a command.
    return verb.usage === '' ? asks || rest.length > 1 : asks && rest.length > 1;
  }
  if (rest.length === 0 && followUps.has(first.toLowerCase().replace(/[?？]+$/, ''))) return false;
  if (asks || /\p{Script=Han}{3,}/u.test(words.join(' '))) return true;
  return words.length >= LEAST_WORDS && !namesProcess(words) && words.every((word) => PLAIN.test(word));
};
