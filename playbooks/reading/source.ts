import type { SourceLine } from '../probes/py-stacks.motion.ts';

/** A `while` or `for` statement of Python source, found by indentation, so of any version of the language. */
export interface Loop {
  readonly kind: 'while' | 'for';
  /** Its first line. */
  readonly line: number;
  /** The last line of its body that is there. */
  readonly endLine: number;
  /** `while`: the condition. `for`: what it goes over. */
  readonly text: string;
  /** Names that a `for` binds; empty for a `while`. */
  readonly targets: readonly string[];
  /** The text of the statement, for a person. */
  readonly header: string;
  readonly body: readonly SourceLine[];
  /** The evidence line of its first line. */
  readonly at: number;
}

/** The column at which a line begins; a tab goes on to the next eighth. */
export const indentation = (text: string): number => {
  const spaces = /^[ \t]*/.exec(text)?.[0] ?? '';
  return [...spaces].reduce(
    (column, character) => (character === '\t' ? (Math.floor(column / 8) + 1) * 8 : column + 1),
    0,
  );
};

/** Whether a line is empty or only a comment. */
export const blank = (text: string): boolean => /^\s*(#.*)?$/.test(text);

/** A line without string contents and comments, so that words in them are no names. */
export const bare = (text: string): string =>
  text.replace(/("""|'''|"|')(?:\\.|(?!\1).)*\1/g, '""').replace(/#.*$/, '');

/** The whole statement that begins at an index, continuation lines included, as one line. */
const statement = (lines: readonly SourceLine[], index: number): string => {
  let text = '';
  for (const line of lines.slice(index, index + 8)) {
    text = `${text} ${bare(line.text).trim()}`.trim();
    const open = (text.match(/[([{]/g)?.length ?? 0) - (text.match(/[)\]}]/g)?.length ?? 0);
    if (open <= 0 && !text.endsWith('\\')) break;
    text = text.replace(/\\$/, '');
  }
  return text;
};

/** A statement up to the colon that opens its body, without a body on the same line. */
const headOf = (whole: string): string => {
  let depth = 0;
  for (let index = 0; index < whole.length; index += 1) {
    const character = whole.charAt(index);
    if ('([{'.includes(character)) depth += 1;
    else if (')]}'.includes(character)) depth -= 1;
    else if (
      character === ':' &&
      depth <= 0 &&
      whole.charAt(index + 1) !== '=' &&
      !/\blambda\b[^:]*$/.test(whole.slice(0, index))
    )
      return whole.slice(0, index + 1);
  }
  return whole;
};

const HEADER = /^(?:async )?(while|for)\b\s*\(?(.*)$/;

const loopAt = (lines: readonly SourceLine[], index: number): Loop | null => {
  const first = lines[index];
  if (first === undefined || !/^\s*(async )?(while|for)\b/.test(first.text)) return null;
  const whole = statement(lines, index);
  const match = HEADER.exec(whole);
  if (match === null) return null;
  const kind = match[1] === 'for' ? 'for' : 'while';
  const margin = indentation(first.text);
  let end = index;
  for (let next = index + 1; next < lines.length; next += 1) {
    const line = lines[next];
    if (line === undefined || line.line !== first.line + next - index) break;
    if (!blank(line.text) && indentation(line.text) <= margin && !/^\s*[)\]}]/.test(line.text)) break;
    if (!blank(line.text)) end = next;
  }
  const header = headOf(whole);
  const inside = /^(?:async )?(?:while|for)\b\s*(.*):$/.exec(header)?.[1] ?? (match[2] ?? '').replace(/:\s*$/, '');
  const [targets = '', over = ''] = kind === 'for' ? inside.split(/\sin\s(.*)/s) : ['', inside];
  return {
    kind,
    line: first.line,
    endLine: lines[end]?.line ?? first.line,
    text: over.trim(),
    targets: kind === 'for' ? (targets.match(/[A-Za-z_]\w*/g) ?? []) : [],
    header,
    body: lines.slice(index + 1, end + 1),
    at: first.at,
  };
};

/** The lines of the function that begins at `firstLine`, its `def` and decorators included; all that follows for a module. */
export const functionLines = (source: readonly SourceLine[], file: string, firstLine: number): SourceLine[] => {
  const lines = source.filter((line) => line.file === file && line.line >= firstLine).sort((a, b) => a.line - b.line);
  const head = lines.findIndex((line) => /^\s*(async\s+)?(def|class)\b/.test(line.text));
  const margin = lines[head];
  // A module, a lambda or a comprehension has no head of its own.
  if (margin === undefined || lines.slice(0, head).some((line) => !/^\s*(@|#|$|[)\w.'",=\s]+$)/.test(line.text)))
    return lines;
  const end = lines.findIndex(
    (line, index) =>
      index > head &&
      !blank(line.text) &&
      indentation(line.text) <= indentation(margin.text) &&
      !/^\s*[)\]}]/.test(line.text),
  );
  return end < 0 ? lines : lines.slice(0, end);
};

/** The loops that a line is inside of (or the head of), innermost first, up to the `def` around it. */
export const loopsAround = (source: readonly SourceLine[], file: string, lineNumber: number): Loop[] => {
  const lines = source.filter((line) => line.file === file);
  const start = lines.findIndex((line) => line.line === lineNumber);
  const here = lines[start];
  if (here === undefined) return [];
  const loops: Loop[] = [];
  let margin = indentation(here.text) + 1;
  for (let index = start; index >= 0; index -= 1) {
    const line = lines[index];
    if (line === undefined || line.line !== lineNumber - (start - index)) break;
    if (blank(line.text) || indentation(line.text) >= margin) continue;
    margin = indentation(line.text);
    const loop = loopAt(lines, index);
    if (loop !== null && loop.endLine >= lineNumber) loops.push(loop);
    if (/^\s*(async )?(def|class)\b/.test(line.text)) break;
  }
  return loops;
};

/** The loops that all of these lines are inside of, innermost first. */
export const commonLoops = (source: readonly SourceLine[], file: string, lines: readonly number[]): Loop[] => {
  const [first, ...others] = lines.map((line) => loopsAround(source, file, line));
  return (first ?? []).filter((loop) => others.every((loops) => loops.some((other) => other.line === loop.line)));
};
