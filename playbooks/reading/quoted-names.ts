const ESCAPE = /\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)/gu;
const PLAIN: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r' };

const decoded = (code: string): string => {
  // Any other character may follow a backslash in damaged output; those beyond U+FFFF are two units long.
  if (!/^[xuU][0-9a-fA-F]+$/.test(code)) return PLAIN[code] ?? code;
  const number = Number.parseInt(code.slice(1), 16);
  return number > 0x10ffff ? '\ufffd' : String.fromCodePoint(number);
};

/**
 * A name as our scripts print it, as it was: a plain word is itself, one in double quotes has its escapes undone
 * (`\"`, `\\`, `\n`, `\t`, `\r`, `\xHH`, `\uHHHH`, `\UHHHHHHHH`). A lone surrogate, by which Python keeps a byte that is
 * no UTF-8, comes out as the lone surrogate.
 */
export const unquote = (name: string): string =>
  name.startsWith('"') && name.endsWith('"') && name.length >= 2
    ? name.slice(1, -1).replace(ESCAPE, (_, code: string) => decoded(code))
    : name;
