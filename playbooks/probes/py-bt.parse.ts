import type { PythonFrame } from '../model/index.ts';
import { plainName } from './native-stacks.names.ts';

/** Text that was escaped to stay in its line: `\"`, `\\`, `\n`, `\xNN`, `\uNNNN`. */
const unescaped = (text: string): string =>
  text.replace(/\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|(.))/gs, (_, byte?: string, unit?: string, char?: string) => {
    const hex = byte ?? unit;
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
    return char === 'n' ? '\n' : (char ?? '');
  });

/**
 * The function of a C frame, or null when the line is none: `#3  0xADDRESS NAME`, or as gdb's own `bt` writes it,
 * `#3  0xADDRESS in NAME (args) at FILE:LINE` and `#0  NAME (args) at FILE:LINE`.
 */
export const readNativeName = (line: string): string | null => {
  const text = /^#\d{1,6} +(?:0x[0-9a-f]{1,16} +)?(?:in )?(\S.*)$/.exec(line)?.[1];
  if (text === undefined || /^Frame 0x/.test(text)) return null;
  const name = plainName(text.replace(/ \(.*$/s, '').trim());
  return name === '' ? null : name;
};

/** Index of the quote that ends the string whose text begins at `start`, or -1; a backslash protects what follows it. */
const endOfString = (text: string, start: number): number => {
  for (let i = start; i < text.length; i++) {
    if (text[i] === '\\') i++;
    else if (text[i] === '"') return i;
  }
  return -1;
};

/**
 * The signal number in arguments like those of a signal handler: a number, then a frame, as py-bt prints them
 * (`signum=15, frame=<frame at remote 0x7f…>` or `frame=Frame 0x7f…, for file …`).
 */
const signalIn = (text: string): number | null => {
  const number = /[(, ]\w+=(\d{1,2}), \w+=(?:<frame at remote 0x|Frame 0x)/.exec(text)?.[1];
  return number === undefined || Number(number) < 1 || Number(number) > 64 ? null : Number(number);
};

/**
 * A Python frame, or null when the line is none (a source line, a local variable, a heading). Takes the lines of
 * py-bt.gdb.py, `File "FILE", line N, in FUNCTION [def line M] [signal S]`, and those of py-bt itself,
 * `File "FILE", line N, in FUNCTION (args)` and `#4 Frame 0x…, for file FILE, line N, in FUNCTION (args)`.
 */
export const readPythonFrame = (line: string): Omit<PythonFrame, 'holds' | 'at'> | null => {
  const quoted = /^ {1,8}File "/.exec(line);
  let file: string;
  let rest: string;
  if (quoted !== null) {
    const end = endOfString(line, quoted[0].length);
    if (end === -1) return null;
    file = unescaped(line.slice(quoted[0].length, end));
    rest = line.slice(end + 1);
  } else {
    const [whole, name] = /^#\d{1,6} +Frame 0x[0-9a-f]{1,16}, for file (.*?)(?=, line (?:\d|\?))/.exec(line) ?? [];
    if (whole === undefined || name === undefined) return null;
    file = name;
    rest = line.slice(whole.length);
  }
  const [, at, text] = /^, line (\d{1,9}|\?), in (\S.*)$/s.exec(rest) ?? [];
  if (at === undefined || text === undefined) return null;
  const marked = /^(.*?) \[def line (\d{1,9})\](?: \[signal (\d{1,2})\])?$/s.exec(text);
  const line0 = { file, line: at === '?' ? 0 : Number(at) };
  if (marked !== null) {
    const signal = marked[3] === undefined ? null : Number(marked[3]);
    return { ...line0, function: unescaped(marked[1] ?? ''), firstLine: Number(marked[2]), signal };
  }
  const name = text.replace(/ \(.*$/s, '');
  return { ...line0, function: name, firstLine: 0, signal: signalIn(text) };
};
