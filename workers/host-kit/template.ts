import type { Impact } from '../../playbooks/model/index.ts';
import type { RemoteStep } from '../ssh/remote-step.ts';

/** One argument of a command that an installed runner may run. */
export type Slot =
  /** Always the same; `{script:NAME}` in it stands for a script that is installed with the runner. */
  | { readonly kind: 'word'; readonly text: string }
  | { readonly kind: 'pid' }
  | { readonly kind: 'start' }
  /** A Python that the host chooses itself. */
  | { readonly kind: 'python' }
  /** Where the host has a tool, `-` where it has none; the host looks for it itself. */
  | { readonly kind: 'tool'; readonly name: string }
  /** The folder for files that are kept, as the host's administrator set it. */
  | { readonly kind: 'keep' }
  /** A decimal number whose whole part is between `min` and `max`, both included. */
  | { readonly kind: 'number'; readonly min: number; readonly max: number }
  /** A text without control characters, of at most `most` bytes of UTF-8. */
  | { readonly kind: 'text'; readonly most: number };

/** A command that an installed runner may run, with its limits. */
export interface Template {
  /** What it belongs to: the id of a probe, or the name of an errand. */
  readonly name: string;
  readonly slots: readonly Slot[];
  readonly seconds: number;
  readonly bytes: number;
  readonly endWith: 'TERM' | 'KILL';
  readonly ptraces: boolean;
  readonly impacts: readonly Impact[];
  /** Whether it runs only on a process whose start time is as told, only without one, or either way. */
  readonly guard: 'always' | 'never' | 'either';
}

/** What an installed runner is asked for: a template by its number, and what fills it. */
export interface FilledTemplate {
  readonly index: number;
  readonly pid: number;
  readonly startTime: string;
  readonly seconds: number;
  /** The numbers and texts, in the order of their slots. */
  readonly words: readonly string[];
}

/** A decimal number as both sides read it. */
export const NUMBER = /^\d{1,7}(?:\.\d{1,20})?$/;
const PATH = /^(?:\/[^\p{Cc}]*|python3)$/u;

const fits = (slot: Slot, word: string, start: string): boolean => {
  switch (slot.kind) {
    case 'word':
      return word === slot.text;
    case 'pid':
      return /^[1-9]\d{0,9}$/.test(word);
    case 'start':
      return word === start;
    case 'python':
    case 'keep':
      return PATH.test(word);
    case 'tool':
      return word === '-' || word.endsWith(`/${slot.name}`);
    case 'number':
      return NUMBER.test(word) && Math.trunc(Number(word)) >= slot.min && Math.trunc(Number(word)) <= slot.max;
    case 'text':
      return !/\p{Cc}/u.test(word) && Buffer.byteLength(word) <= slot.most;
  }
};

const fill = (template: Template, index: number, step: RemoteStep): FilledTemplate | null => {
  const { slots, guard } = template;
  if (slots.length !== step.argv.length || (guard === 'always' && step.target === null)) return null;
  if (step.bytes > template.bytes || step.ptraces !== template.ptraces) return null;
  const target = guard === 'never' ? null : step.target;
  const startTime = target?.startTime ?? '0';
  if (!slots.every((slot, at) => fits(slot, step.argv[at] ?? '', startTime))) return null;
  const pids = slots.flatMap((slot, at) => (slot.kind === 'pid' ? [Number(step.argv[at])] : []));
  const pid = target?.pid ?? pids[0] ?? 0;
  if (pids.some((each) => each !== pid)) return null;
  const words = step.argv.filter((_, at) => slots[at]?.kind === 'number' || slots[at]?.kind === 'text');
  return { index, pid, startTime, seconds: Math.min(Math.ceil(step.seconds), template.seconds), words };
};

/** Says a step in the words of an installed runner; null when that does not run it. */
export const fillTemplate = (templates: readonly Template[], step: RemoteStep): FilledTemplate | null => {
  for (const [index, template] of templates.entries()) {
    const filled = fill(template, index, step);
    if (filled !== null) return filled;
  }
  return null;
};
