import { z } from 'zod';
import { type Impact, type KnownHost, type Probe, Request, type StepContext } from '../../playbooks/model/index.ts';
import { NUMBER, type Slot, type Template } from './template.ts';

/*
 * What a probe may run follows from its own declaration: its command is asked for with every kind of option at its least
 * and its most, and with marks in place of what differs from look to look. What is the same every time is fixed, a mark is
 * a slot, a number is what it was at least and at most.
 */
const PID = 1_987_654_321;
const START = '18765432109876';
const PYTHON = '/@python';
const KEEP = '/@keep';
const TOOL = '/@tool/';
/** A character of a private plane that says how many characters the text may have. */
const PLANE = 0xf0000;
const textMark = (length: number): string => String.fromCodePoint(PLANE + Math.min(length, 0xfffd));
const TEXT_MARK = /[\u{f0000}-\u{ffffd}]/u;
const MOST_NUMBER = 9_999_999;

/** The largest process for which a look is foreseen; what depends on its size is bounded by this. */
const LARGEST = { threads: 1_024, rssKib: 256 * 1024 * 1024 };

/** What `z.toJSONSchema` says of an option, as far as probes use it. */
const Shape = z.object({
  type: z.string().optional(),
  enum: z.array(z.union([z.string(), z.number()])).optional(),
  minimum: z.number().optional(),
  exclusiveMinimum: z.number().optional(),
  maximum: z.number().optional(),
  minItems: z.number().optional(),
  maxItems: z.number().optional(),
  maxLength: z.number().optional(),
  properties: z.record(z.string(), z.unknown()).optional(),
  required: z.array(z.string()).optional(),
  items: z.unknown().optional(),
});

/** Every kind of value that a schema lets in: numbers at both ends, a mark for a text, lists of every length. */
const valuesOf = (schema: unknown): readonly unknown[] => {
  const shape = Shape.parse(schema);
  if (shape.enum !== undefined) return shape.enum;
  switch (shape.type) {
    case 'boolean':
      return [false, true];
    case 'integer':
    case 'number': {
      const least = shape.minimum ?? (shape.exclusiveMinimum === undefined ? 0 : shape.exclusiveMinimum + 1);
      return [least, Math.min(shape.maximum ?? MOST_NUMBER, MOST_NUMBER)];
    }
    case 'string':
      return [textMark(shape.maxLength ?? 200)];
    case 'array': {
      const items = valuesOf(shape.items);
      const lengths = Array.from({ length: (shape.maxItems ?? 0) + 1 }, (_, length) => length);
      return lengths
        .filter((length) => length >= (shape.minItems ?? 0))
        .flatMap((length) => (length === 0 ? [[]] : items.map((item) => Array.from({ length }, () => item))));
    }
    case 'object':
      return Object.entries(shape.properties ?? {}).reduce<readonly Record<string, unknown>[]>(
        (all, [name, property]) => {
          const values = valuesOf(property);
          const left = shape.required?.includes(name) === true ? [] : all;
          return [...left, ...all.flatMap((each) => values.map((value) => ({ ...each, [name]: value })))];
        },
        [{}],
      );
    default:
      throw new TypeError(`an option of the type ${shape.type} cannot be checked by an installed runner`);
  }
};

/** Any tool that is asked for is there. */
const tools: KnownHost['tools'] = new Proxy<Record<string, string>>({}, { get: (_, name) => `${TOOL}${String(name)}` });

const WINDOWS = valuesOf(z.toJSONSchema(Request.shape.windowSeconds.unwrap(), { io: 'input' })).map(Number);

const contextsOf = (probe: Probe): StepContext[] =>
  valuesOf(z.toJSONSchema(probe.options, { io: 'input' })).flatMap((given) =>
    WINDOWS.flatMap((windowSeconds) =>
      [PYTHON, null].flatMap((python) =>
        [{ threads: 1, rssKib: 0 }, LARGEST].map((size): StepContext => {
          const runtime = { kind: 'python', version: null } as const;
          return {
            target: { host: 'host', pid: PID, startTime: START },
            windowSeconds,
            known: { python, tools, runtime, root: true, ...size },
            options: probe.options.parse(given),
            keepFolder: KEEP,
          };
        }),
      ),
    ),
  );

const slotOf = (word: string, at: number): Slot => {
  if (word === String(PID)) return { kind: 'pid' };
  if (word === START) return { kind: 'start' };
  if (word === PYTHON || (at === 0 && word === 'python3')) return { kind: 'python' };
  if (word === KEEP) return { kind: 'keep' };
  if (word.startsWith(TOOL)) return { kind: 'tool', name: word.slice(TOOL.length) };
  const length = (word.codePointAt(0) ?? 0) - PLANE;
  // A character takes at most four bytes of UTF-8.
  if (TEXT_MARK.test(word) && [...word].length === 1) return { kind: 'text', most: 4 * length };
  if (NUMBER.test(word)) return { kind: 'number', min: Number(word), max: Number(word) };
  if (TEXT_MARK.test(word) || [String(PID), START, PYTHON, KEEP, TOOL].some((mark) => word.includes(mark))) {
    throw new TypeError(`an argument that is made of several parts cannot be checked by an installed runner: ${word}`);
  }
  return { kind: 'word', text: word };
};

const kindOf = (slot: Slot): string => (slot.kind === 'number' ? '#' : JSON.stringify(slot));

/** Both of one form: numbers from the least of them to the most. */
const widen = (a: Slot, b: Slot): Slot =>
  a.kind === 'number' && b.kind === 'number'
    ? { kind: 'number', min: Math.min(a.min, b.min), max: Math.max(a.max, b.max) }
    : a;

/** A number that never changes is a word; the ends of the others are whole. */
const settled = (slot: Slot): Slot => {
  if (slot.kind !== 'number') return slot;
  return slot.min === slot.max
    ? { kind: 'word', text: String(slot.min) }
    : { kind: 'number', min: Math.floor(slot.min), max: Math.ceil(slot.max) };
};

/** Those of a probe that run before its start time is known, or on no process at all. */
const GUARDS: Readonly<Record<string, Template['guard']>> = { identify: 'never', 'kernel-log': 'either' };

/** All commands that a probe may run. Throws TypeError when its declaration is of a kind that cannot be checked on a host. */
export const templatesOf = (probe: Probe): Template[] => {
  const forms = new Map<string, readonly Slot[]>();
  const contexts = contextsOf(probe);
  for (const context of contexts) {
    const slots = probe.command(context).argv.map(slotOf);
    const key = slots.map(kindOf).join(' ');
    const known = forms.get(key);
    forms.set(key, known === undefined ? slots : known.map((slot, at) => widen(slot, slots[at] ?? slot)));
  }
  const seconds = Math.ceil(Math.max(...contexts.map((context) => probe.limits.seconds(context))));
  return [...forms.values()].map((slots) => ({
    name: probe.id,
    slots: slots.map(settled),
    seconds,
    bytes: probe.limits.bytes,
    endWith: probe.limits.endWith,
    ptraces: probe.ptraces,
    impacts: [...probe.impacts],
    guard: GUARDS[probe.id] ?? 'always',
  }));
};

/** A command of the worker's own: what it looks up beside probes. Impact none. */
export const errand = (
  name: string,
  slots: readonly (Slot | string)[],
  { seconds, bytes, guard }: Pick<Template, 'seconds' | 'bytes' | 'guard'>,
): Template => ({
  name,
  slots: slots.map((slot) => (typeof slot === 'string' ? { kind: 'word', text: slot } : slot)),
  seconds,
  bytes,
  guard,
  endWith: 'TERM',
  ptraces: false,
  impacts: ['none'] satisfies Impact[],
});
