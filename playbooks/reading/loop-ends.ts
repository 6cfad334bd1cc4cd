import { bare, blank, indentation, type Loop } from './source.ts';
import { assignmentsTo, isWritten, namesIn } from './source-variables.ts';

/*
 * How a loop of Python source comes to its end: by itself, by a word from elsewhere, or not.
 */

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
