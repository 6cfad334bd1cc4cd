import type { Fix, PythonFrame } from '../model/index.ts';
import type { PatternCall } from '../probes/py-stacks.motion.ts';
import type { Ambiguity } from '../reading/pattern.ts';
import { code, duration, shellQuote } from '../reading/text.ts';

const WHY: Readonly<Record<Ambiguity['kind'], string>> = {
  nested:
    'has a quantifier inside of a quantifier: it can divide the same characters among its rounds in many ways, twice as many with each character more',
  alternatives: 'repeats alternatives that fit the same characters: twice as many ways with each character more',
  restarts:
    'takes as much as it can from wherever the search begins, and the search begins again at each of its characters: the time grows with the square of the length',
  adjacent: 'has quantifiers next to each other that fit the same characters: the ways grow with a power of the length',
};

/** What is matched with what, and why that takes so long. */
export const patternSentence = (call: PatternCall | null, ambiguity: Ambiguity | null, seconds: number): string => {
  if (call === null) return 'The call is into the module `re`.';
  const { type, length } = call.subject;
  const pattern = call.pattern === null ? 'a pattern that could not be read' : `the pattern ${code(call.pattern, 200)}`;
  const short =
    length < 5000 * seconds
      ? `, for more than ${duration(seconds)}; a plain scan of it takes less than a thousandth of that`
      : '';
  return (
    `The call is \`${call.method}\` of ${pattern} on a \`${type}\` of ${length.toLocaleString('en-US')} characters${short}.` +
    (ambiguity === null
      ? ''
      : ` The part ${code(ambiguity.part, 120)} ${WHY[ambiguity.kind]}; a text that almost fits makes it try all of them.`)
  );
};

const newer = (version: string): boolean => {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > 3 || (major === 3 && minor >= 11);
};

/** How the part could be written without the choice: possessive where the interpreter knows that, else in words. */
const rewrite = (ambiguity: Ambiguity | null, version: string): { detail: string; code?: string } => {
  if (ambiguity === null) {
    return {
      detail:
        'Let each character be taken by one part of the pattern only: no quantifier inside of a quantifier, no alternatives that begin alike, no two neighbouring `.*` or `\\s*`.',
    };
  }
  const example =
    'r"^(\\w+\\s?)*$"  becomes  r"^\\w+(?:\\s\\w+)*\\s?$"   # what separates the rounds is no longer optional';
  const possessive = newer(version)
    ? `\n# Python 3.11 and newer: an atomic group is not tried in another way, where that does not change what fits\nr"(?>${ambiguity.part})"`
    : '';
  return {
    detail: `Write ${code(ambiguity.part, 120)} so that there is one way to match a text: what separates the rounds must be there, and the alternatives must begin differently.`,
    code: `# for example: ${example}${possessive}`,
  };
};

/** What to change: the pattern, the length of what it meets, the engine; and how to see that it helped. */
export const patternFixes = (
  call: PatternCall | null,
  ambiguity: Ambiguity | null,
  frame: PythonFrame | null,
  version: string,
  pid: number,
): Fix[] => {
  const place = frame === null ? 'the pattern' : `the pattern at ${code(`${frame.file}:${frame.line}`, 200)}`;
  const { detail, code: snippet } = rewrite(ambiguity, version);
  const pattern = call?.pattern ?? null;
  const test =
    pattern === null || pattern.length >= 400
      ? undefined
      : `python3 -c ${shellQuote(`import re, time\np = re.compile(${JSON.stringify(pattern)})\nfor n in range(10, 27, 2):\n    t = time.time(); p.${call?.method === 'sub' || call?.method === 'subn' ? 'search' : (call?.method ?? 'match')}("a" * n + "!"); print(n, time.time() - t)`)}`;
  return [
    { title: `Rewrite ${place}`, detail, ...(snippet === undefined ? {} : { code: snippet }) },
    {
      title: 'Bound what it meets',
      detail: `The text comes from outside: refuse what is longer than it may be, before matching${frame === null ? '' : ` in ${code(frame.function, 80)}`}.`,
      code: 'if len(text) > 500:\n    raise ValueError("too long")',
    },
    {
      title: 'Or use an engine that takes linear time, or a limit',
      detail:
        'google-re2 does not backtrack; the package `regex` takes a timeout. Both have the interface of `re` for most patterns.',
      code: 'import re2 as re                       # pip install google-re2\n# or: import regex; regex.match(pattern, text, timeout=1.0)',
    },
    {
      title: 'Verify, and end this process',
      detail: `The match does not come to an end in any useful time: restart process ${pid}. The time of the new pattern must grow with the length, not double with each character.`,
      ...(test === undefined ? {} : { code: test }),
    },
  ];
};
