const ESCAPES: Readonly<Record<string, number>> = { a: 7, b: 8, t: 9, n: 10, v: 11, f: 12, r: 13, '\\': 92, '"': 34 };

/** The bytes of the first string in strace's text of a call's arguments: printable characters and C escapes. */
const firstString = (args: string): number[] => {
  const text = /"((?:[^"\\]|\\.)*)"/.exec(args)?.[1] ?? '';
  const bytes: number[] = [];
  for (const [, octal, hex, letter, plain] of text.matchAll(/\\([0-7]{1,3})|\\x([0-9a-f]{2})|\\(.)|([^\\])/g)) {
    if (octal !== undefined) bytes.push(Number.parseInt(octal, 8) & 0xff);
    else if (hex !== undefined) bytes.push(Number.parseInt(hex, 16));
    else bytes.push(letter === undefined ? (plain ?? '').charCodeAt(0) & 0xff : (ESCAPES[letter] ?? 63));
  }
  return bytes;
};

/**
 * The name that a question to a name server asks for, from the traced call that sent it (RFC 1035, 4.1: a header of 12 bytes,
 * then labels that begin with their length); null when it is no question, or its end was cut off.
 */
export const askedName = (args: string): string | null => {
  const bytes = firstString(args);
  // A question has no QR bit, one question and no answer.
  if (bytes.length < 17 || ((bytes[2] ?? 0) & 0x80) !== 0 || bytes[4] !== 0 || bytes[5] !== 1) return null;
  const labels: string[] = [];
  for (let at = 12; at < bytes.length; ) {
    const length = bytes[at] ?? 0;
    if (length === 0) return labels.length === 0 ? null : labels.join('.');
    if (length > 63 || at + length >= bytes.length) return null;
    const label = bytes.slice(at + 1, at + 1 + length).map((byte) => String.fromCharCode(byte));
    if (label.some((character) => !/[A-Za-z0-9_-]/.test(character))) return null;
    labels.push(label.join(''));
    at += length + 1;
  }
  return null;
};
