import { bare } from './source.ts';

/*
 * What lines of Python do to a variable, and what a condition asks of it, as far as a line by itself tells.
 */

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
export const assignmentsTo = (lines: readonly string[], name: string): string[] => {
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
