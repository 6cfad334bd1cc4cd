/** What an alert may be nested. The deepest that a source sends is about ten. */
export const DEEPEST = 32;

const OPENING = new Set([0x5b, 0x7b]);
const CLOSING = new Set([0x5d, 0x7d]);
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Whether brackets outside of strings go deeper than `deepest`; one pass over the bytes, nothing is built. */
const tooDeep = (bytes: Uint8Array, deepest: number): boolean => {
  let depth = 0;
  let inString = false;
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes[index] ?? 0;
    if (inString) {
      if (byte === BACKSLASH) index += 1;
      else if (byte === QUOTE) inString = false;
    } else if (byte === QUOTE) inString = true;
    else if (OPENING.has(byte)) {
      depth += 1;
      if (depth > deepest) return true;
    } else if (CLOSING.has(byte)) depth -= 1;
  }
  return false;
};

/** JSON from outside, or one sentence on why it is none. Never throws. The depth is checked before anything is built. */
export const readJson = (bytes: Uint8Array): { readonly value: unknown } | { readonly why: string } => {
  if (bytes.length === 0) return { why: 'The body is empty; it has to be JSON.' };
  if (tooDeep(bytes, DEEPEST)) return { why: `The JSON is nested deeper than ${DEEPEST} levels.` };
  try {
    return { value: JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes)) };
  } catch (error) {
    // The message of a syntax error has pieces of the body in it.
    return { why: error instanceof SyntaxError ? 'The body is not JSON.' : 'The body is not UTF-8.' };
  }
};
