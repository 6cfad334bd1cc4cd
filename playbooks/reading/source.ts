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

const indentation = (text: string): number => {
  const spaces = /^[ \t]*/.exec(text)?.[0] ?? '';
  return [...spaces].reduce(
    (column, character) => (character === '\t' ? (Math.floor(column / 8) + 1) * 8 : column + 1),
    0,
  );
};

const blank = (text: string): boolean => /^\s*(#.*)?$/.test(text);

/** Without string contents and comments, so that words in them are no names. */
const bare = (text: string): string => text.replace(/("""|'''|"|')(?:\\.|(?!\1).)*\1/g, '""').replace(/#.*$/, '');

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

const WORDS = new Set([
  'and',
  'or',
  'not',
  'in',
  'is',
  'if',
  'else',
  'for',
  'while',
  'lambda',
  'None',
  'True',
  'False',
  'await',
  'len',
  'async',
  'range',
  'enumerate',
]);

/** The variables that an expression reads: `self.pending`, `want`; without the functions that it calls. */
export const namesIn = (expression: string): string[] => {
  const found = new Set<string>();
  for (const match of bare(expression).matchAll(/(?<![\w.])([A-Za-z_]\w*(?:\s*\.\s*[A-Za-z_]\w*)*)(\s*\()?/g)) {
    const name = (match[1] ?? '').replace(/\s/g, '');
    if (WORDS.has(name)) continue;
    if (match[2] === undefined) found.add(name);
    else if (name.includes('.')) found.add(name.slice(0, name.lastIndexOf('.')));
  }
  return [...found];
};

/** The functions that an expression calls, besides `len`, `bool`, `min` and `max`, which depend on their arguments alone. */
export const callsIn = (expression: string): string[] => {
  const calls = [...bare(expression).matchAll(/(?<![\w.])([A-Za-z_]\w*(?:\s*\.\s*[A-Za-z_]\w*)*)\s*\(/g)];
  const names = calls.map((match) => (match[1] ?? '').replace(/\s/g, ''));
  return [...new Set(names)].filter((name) => !WORDS.has(name) && !['bool', 'min', 'max', 'abs', 'int'].includes(name));
};

/** Whether an expression asks what time it is: a loop until a deadline comes to an end by itself. */
export const asksForTime = (expression: string): boolean =>
  /\b(time|monotonic|perf_counter|process_time|clock|now|utcnow|deadline|timeout|elapsed|until)\b/i.test(
    bare(expression),
  );

const escaped = (name: string): string => name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/**
 * Whether these lines only count with a variable (`rounds += 1`) or take it modulo something (`i % n`), so that its
 * growing is no progress: nothing in them, nor in the loop's condition, depends on how large it is.
 */
export const onlyCounts = (condition: string, lines: readonly string[], name: string): boolean => {
  const word = new RegExp(`(?<![\\w.])${escaped(name)}(?![\\w])`);
  if (word.test(bare(condition))) return false;
  const uses = lines.flatMap((line) => bare(line).split(';')).filter((text) => word.test(text));
  const counts = new RegExp(`^\\s*${escaped(name)}\\s*[+-]=\\s*[\\w.]+\\s*;?\\s*$`);
  const itself = new RegExp(`^\\s*${escaped(name)}\\s*=\\s*${escaped(name)}\\s*[+-]\\s*\\d+\\s*;?\\s*$`);
  const modulo = new RegExp(`(?<![\\w.])${escaped(name)}\\s*%`, 'g');
  return (
    uses.length > 0 &&
    uses.every((text) => counts.test(text) || itself.test(text) || !word.test(text.replace(modulo, '')))
  );
};

/** The values that these lines give to a variable, `+= 1` with its operator, `= found` without. */
const assignmentsTo = (lines: readonly string[], name: string): string[] => {
  const pattern = new RegExp(`(?:^|[;:])\\s*${escaped(name)}\\s*(?:([-+*/%&|^@]|//|\\*\\*|<<|>>)?=(?!=))\\s*(.*)$`);
  const bound = new RegExp(
    `(?<![\\w.])${escaped(name)}\\s*(?:,[^=;]*)?=(?!=)|,\\s*${escaped(name)}\\s*(?:,[^=;]*)?=(?!=)|(?<![\\w.])${escaped(name)}\\s*:=|\\bfor\\b[^:]*(?<![\\w.])${escaped(name)}\\b[^:]*\\bin\\b|\\bas\\s+${escaped(name)}\\b`,
  );
  return lines
    .flatMap((line) => bare(line).split(';'))
    .flatMap((text) => {
      const match = pattern.exec(text);
      if (match !== null) return [`${match[1] ?? ''}${match[1] === undefined ? '' : '= '}${(match[2] ?? '').trim()}`];
      return bound.test(text) ? ['?'] : [];
    });
};

/** Whether these lines give the variable anything. */
export const isWritten = (lines: readonly string[], name: string): boolean => assignmentsTo(lines, name).length > 0;

/** Whether all that these lines do to a number is to add a positive constant to it, or all is to take one away. */
export const goesOneWay = (lines: readonly string[], name: string): boolean => {
  const given = assignmentsTo(lines, name);
  return (
    given.length > 0 &&
    (given.every((each) => /^\+= *\d+(\.\d+)?$/.test(each)) || given.every((each) => /^-= *\d+(\.\d+)?$/.test(each)))
  );
};

/** Whether a loop's lines lead out of it: they break, return or raise. */
export const hasExit = (lines: readonly string[]): boolean =>
  lines.some((line) => /(^|[;:])\s*(break|return|raise)\b/.test(bare(line)));

/** Words in the name of a flag that says how long a program is to go on, set from elsewhere. */
const LASTS = /stop|quit|exit|shut|cancel|abort|kill|terminat|running|alive|active|enabled|keep_?going|closed|closing/i;

/**
 * Whether a `while` is meant to go on until somebody says otherwise: its condition is constant, an event, a flag that is
 * named so (`running`, `not self.stop`), or an attribute that the lines that run leave alone, so that it is set from
 * elsewhere. A local variable that says something else (`pending`, `found`) is for the loop itself to change. `sized`:
 * names that have a size, which are no flags.
 */
export const isMeantToLast = (
  condition: string,
  lines: readonly string[],
  sized: (name: string) => boolean,
): boolean => {
  const text = bare(condition)
    .trim()
    .replace(/^\((.*)\)$/, '$1')
    .trim();
  if (/^(True|1|"")$/.test(text)) return true;
  const flag = /^(not\s+)?([A-Za-z_][\w.]*?)(\.is_set\(\s*\))?$/.exec(text);
  if (flag === null) return false;
  const [, , name = '', event] = flag;
  if (sized(name)) return false;
  if (event !== undefined || LASTS.test(name)) return true;
  return name.includes('.') && assignmentsTo(lines, name).length === 0;
};

/**
 * Whether a way out of the loop depends on what the loop itself works out (`if not changed: break`), and not on something
 * that is set from elsewhere (`if self.stopped: break`): then the rounds are there to bring it about.
 */
export const exitDependsOnRounds = (loop: Loop): boolean => {
  const texts = loop.body.map((line) => line.text);
  return loop.body.some((line, index) => {
    if (!hasExit([line.text])) return false;
    const own = /^\s*(?:el)?if\b(.*):/.exec(bare(line.text))?.[1];
    const around = texts
      .slice(0, index)
      .findLast((text) => !blank(text) && indentation(text) < indentation(line.text) && /^\s*(el)?if\b/.test(text));
    const condition = own ?? /^\s*(?:el)?if\b(.*)$/.exec(bare(around ?? ''))?.[1] ?? '';
    return namesIn(condition).some((name) => isWritten(texts, name));
  });
};

/** Whether one of these lines gives the variable the time of day, or a time that has passed. */
export const isClock = (lines: readonly string[], name: string): boolean => {
  const assigned = new RegExp(`(?<![\\w.])${escaped(name)}\\s*=(?!=)(.*)$`);
  return lines.some((text) => asksForTime(assigned.exec(bare(text))?.[1] ?? ''));
};

/** Whether a condition waits for a number to be exactly something, which one that is counted in steps can miss. */
export const waitsForExactly = (condition: string, name: string): boolean =>
  new RegExp(`^\\(?\\s*(${escaped(name)}\\s*!=\\s*[\\w.]+|[\\w.]+\\s*!=\\s*${escaped(name)})\\s*\\)?$`).test(
    bare(condition).trim(),
  );

/** Whether a condition waits for a number to be exactly something that it has already passed, and so never will be. */
export const hasRunPast = (condition: string, name: string, from: number, to: number): boolean => {
  const exact = new RegExp(`^\\(?\\s*(?:not\\s+)?${escaped(name)}\\s*(!=|==)\\s*(-?\\d+(?:\\.\\d+)?)\\s*\\)?$`).exec(
    condition.trim(),
  );
  const truth = condition.trim() === name;
  if (exact === null && !truth) return false;
  if (exact?.[1] === '==' && !/^\(?\s*not\b/.test(condition.trim())) return false;
  const goal = exact === null ? 0 : Number(exact[2]);
  return (to < from && from < goal) || (to > from && from > goal);
};
