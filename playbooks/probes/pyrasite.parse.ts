import { type Evidence, evidenceErrorText, evidenceLines, type Parsed, type StepContext } from '../model/index.ts';
import { bytes, clip, count } from '../reading/text.ts';
import type { PyrasiteData } from './pyrasite.ts';

const CUT: Readonly<Record<string, string>> = {
  items: 'what containers of more than 100,000 items hold was not counted',
  referents: 'more than 300,000 objects are outside of the collector: the rest of them was not counted',
  time: 'not all objects were counted in time',
  traces: 'tracemalloc has traced too much to be asked',
};
const NUMBER = '(\\d{1,15})';
const TYPE = new RegExp(`^type ${NUMBER} ${NUMBER} (.{1,500})$`);
const COLLECTOR = new RegExp(
  `^collector (enabled|disabled) thresholds ${NUMBER} ${NUMBER} ${NUMBER} counts ${NUMBER} ${NUMBER} ${NUMBER}$`,
);
const GENERATION = new RegExp(`^generation \\d collections ${NUMBER} collected ${NUMBER} uncollectable ${NUMBER}$`);
const GARBAGE_TYPE = new RegExp(`^garbage-type ${NUMBER} (.{1,500})$`);
const TRACED = new RegExp(`^traced ${NUMBER} ${NUMBER} ${NUMBER} (.{1,500})$`);
const UNREADABLE = /^== unreadable (not-applicable|not-parsable|no-permission|target-gone) (.{1,500})$/;

const cannot = (lines: readonly string[], messages: string, pid: number): Parsed<PyrasiteData> => {
  const found = (pattern: RegExp): RegExpExecArray | undefined =>
    lines.map((line) => pattern.exec(line)).find((match) => match !== null) ?? undefined;
  const [, refused] = found(/^== refused: (.{1,400})$/) ?? [];
  if (refused !== undefined)
    return { ok: false, reason: 'not-applicable', why: `nothing was run in process ${pid}: ${refused}` };
  const [, reason, sentence] = found(UNREADABLE) ?? [];
  if (sentence !== undefined) {
    const known = (['not-applicable', 'not-parsable', 'no-permission', 'target-gone'] as const).find(
      (one) => one === reason,
    );
    return { ok: false, reason: known ?? 'failed', why: sentence };
  }
  if (found(/^== gone: /)) return { ok: false, reason: 'target-gone', why: `process ${pid} had ended` };
  if (lines.includes('== missing: python')) {
    return { ok: false, reason: 'missing-tool', why: 'there is no Python 3 on the host' };
  }
  if (found(/^== denied: /) || /Operation not permitted|Permission denied/.test(messages)) {
    return {
      ok: false,
      reason: 'no-permission',
      why: `writing to the memory of process ${pid} needs root, or its own user`,
    };
  }
  const [, late] = found(/^== no figures: (.{1,300})$/) ?? [];
  return late === undefined
    ? { ok: false, reason: 'not-parsable', why: 'the process gave no figures' }
    : { ok: false, reason: 'timed-out', why: `process ${pid} gave no figures: ${late}` };
};

const matches = <Row>(
  lines: readonly string[],
  pattern: RegExp,
  row: (words: readonly string[], at: number) => Row,
): Row[] =>
  lines.flatMap((line, index) => {
    const match = pattern.exec(line);
    return match === null ? [] : [row(match.slice(1), index + 1)];
  });
const asNumbers = (words: readonly string[]): number[] => words.map(Number);

/** Reads what pyrasite.sh printed. Never throws. */
export const parsePyrasite = (evidence: Evidence, step: StepContext): Parsed<PyrasiteData> => {
  const lines = evidenceLines(evidence);
  const one = (pattern: RegExp): readonly string[] => matches(lines, pattern, (words) => words)[0] ?? [];
  const [version] = one(/^python (\d+\.\d+\.\d+)$/);
  const [counted, objects] = asNumbers(one(new RegExp(`^objects ${NUMBER} of ${NUMBER}$`)));
  const collector = matches(lines, COLLECTOR, ([enabled, ...words], at) => ({
    enabled: enabled === 'enabled',
    thresholds: asNumbers(words.slice(0, 3)),
    counts: asNumbers(words.slice(3)),
    at,
  }))[0];
  const ended = lines.includes('end');
  if (!ended || version === undefined || counted === undefined || objects === undefined || collector === undefined) {
    return cannot(lines, evidenceErrorText(evidence), step.target.pid);
  }
  const data: PyrasiteData = {
    version,
    objects,
    counted,
    types: matches(lines, TYPE, ([number, size, name = '']: readonly string[], at) => ({
      name,
      objects: Number(number),
      bytes: Number(size),
      at,
    })),
    collector,
    generations: matches(lines, GENERATION, (words, at) => {
      const [collections = 0, collected = 0, uncollectable = 0] = asNumbers(words);
      return { collections, collected, uncollectable, at };
    }),
    garbage: {
      objects: Number(one(new RegExp(`^garbage ${NUMBER}$`))[0] ?? 0),
      types: matches(lines, GARBAGE_TYPE, ([number, name = ''], at) => ({ name, objects: Number(number), at })),
    },
    traced: matches(lines, TRACED, ([size, blocks, line, file = ''], at) => ({
      bytes: Number(size),
      blocks: Number(blocks),
      line: Number(line),
      file,
      at,
    })),
    seconds: Number(one(/^seconds (\d{1,5}\.\d{1,3})$/)[0] ?? 0),
  };
  const partly = matches(lines, /^cut ([a-z]{1,20})$/, ([what = '']) => CUT[what]).filter((text) => text !== undefined);
  if (lines.some((line) => line === '== after: the process has ended')) partly.push('the process ended afterwards');
  return { ok: true, data, partly };
};

const MOST_TYPES = 15;
const MOST_TRACED = 5;
const MOST_NAME = 60;

/** The figures in short, as `heap` shows its own. Pure. */
export const figuresInShort = ({
  types,
  garbage,
  collector,
  traced,
  counted,
  seconds,
}: PyrasiteData): readonly string[] => [
  ...types
    .slice(0, MOST_TYPES)
    .map(
      (type) =>
        `${clip(type.name, MOST_NAME).padEnd(28)} ${type.objects.toLocaleString('en-US').padStart(10)}  ${bytes(type.bytes)}`,
    ),
  ...(types.length > MOST_TYPES ? [`and ${types.length - MOST_TYPES} other types`] : []),
  '',
  `${count(counted, 'object')} of the collector's counted in ${seconds.toFixed(2)} s; the collector is ${collector.enabled ? 'on' : 'off'} (${collector.thresholds.join(', ')}), gc.garbage has ${count(garbage.objects, 'object')}`,
  ...(traced.length > 0 ? ['', 'tracemalloc, most bytes first:'] : []),
  ...traced
    .slice(0, MOST_TRACED)
    .map(
      ({ file, line, bytes: size, blocks }) => `${clip(file, 80)}:${line}  ${bytes(size)} in ${count(blocks, 'block')}`,
    ),
];
