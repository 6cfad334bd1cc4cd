import type { MotionFrame, MotionVariable, SourceLine } from '../probes/py-stacks.motion.ts';
import type { Course } from '../reading/motion.ts';
import type { Loop } from '../reading/source.ts';
import { onlyCounts } from '../reading/source-variables.ts';
import type { Place } from './busy-loop.place.ts';

export interface Moving {
  readonly frame: MotionFrame;
  readonly variable: MotionVariable;
  readonly course: Course;
}

const rootOf = (name: string): string => name.replace(/^len\(/, '').split(/[.)]/)[0] ?? name;

/** The names under which a variable may be written in those lines: an attribute of one object has many owners. */
const spellings = (name: string, lines: readonly string[]): string[] => {
  const dot = name.lastIndexOf('.');
  if (dot < 0) return [name];
  const word = new RegExp(`[\\w.]+\\.${name.slice(dot + 1).replace(/\W/g, '\\$&')}(?!\\w)`, 'g');
  return [...new Set(lines.flatMap((line) => line.match(word) ?? []))];
};

/** Whether a variable that grows only counts rounds: no line that runs in the loop depends on how large it is. */
export const isRoundCounter = (moving: Moving, place: Place | null, lines: readonly string[]): boolean => {
  if (place === null || moving.course !== 'counts') return false;
  const names = spellings(moving.variable.name, lines);
  return names.length > 0 && names.every((name) => onlyCounts(place.loop.text, lines, name));
};

/** Whether a variable is bound by a `for` inside of the loop, so that it moves whenever that one goes on. */
export const isBoundInside = (moving: Moving, loop: Loop | null, source: readonly SourceLine[]): boolean => {
  if (loop === null) return false;
  const root = rootOf(moving.variable.name);
  const heads = source.filter((line) => line.line > loop.line && line.line <= loop.endLine);
  return heads.some((line) => {
    const match = /^\s*(?:async )?for\s+(.*?)\s+in\s/.exec(line.text);
    return ((match?.[1] ?? '').match(/[A-Za-z_]\w*/g) ?? []).some((name) => name === root);
  });
};

export const IMMUTABLE = /^(int|long|float|bool|str|unicode|bytes|NoneType)$/;

/**
 * Whether a size is that of ever other objects: what holds it was another one more often than the size changed, so that a
 * change or two of it are one object after the other, and no object that gets smaller or larger.
 */
export const isOfOthers = ({ name, type, changes }: MotionVariable, frame: MotionFrame): boolean => {
  if (type !== 'size' || changes > 2) return false;
  const held = /^len\((.*)\)$/.exec(name)?.[1];
  return frame.moving.some((other) => (other.name === held || other.name === rootOf(name)) && other.changes > changes);
};

/** The most telling sign of progress: what goes one way, before counts, before what is merely new. */
export const strongest = (blockers: readonly Moving[]): Moving | undefined => {
  const rank = (moving: Moving) => ['onward', 'counts', 'new'].indexOf(moving.course);
  return [...blockers].sort((a, b) => rank(a) - rank(b) || b.variable.changes - a.variable.changes)[0];
};

/** Whether an inner iteration has begun again so often that the loop around it has gone round many times. */
export const innerRounds = (moving: readonly Moving[], frame: MotionFrame): number =>
  Math.max(
    0,
    ...moving
      .filter((each) => each.frame === frame && each.variable.name.startsWith('@iterator') && each.course === 'returns')
      .map((each) => Math.min(each.variable.up, each.variable.down)),
  );

/** Whether a variable changed often enough to be told from one that was read while its frame was being set up. */
export const isTelling = ({ changes, looks }: MotionVariable): boolean => changes >= 4 && changes >= 0.15 * looks;

const span = (variable: MotionVariable): number =>
  Number(variable.to ?? Number.NaN) - Number(variable.from ?? Number.NaN);

/** What a `for` goes over when that is a variable: `pool` of `enumerate(pool, 1)` and of `pool`. */
const goneOver = (loop: Loop): string | null =>
  loop.kind === 'for'
    ? (/^(?:enumerate\(\s*)?([A-Za-z_][\w.]*)\s*(?:,[^()]*)?\)?$/.exec(loop.text)?.[1] ?? null)
    : null;

/**
 * The size of the list that a `for` goes over, when it grows as fast as the loop goes on, with items that come again and
 * again: its end comes no nearer. Null when the items are new ones, as in a walk that ends when all was seen, or when
 * anything else of the program gets on.
 */
export const growsAlong = (place: Place, moving: readonly Moving[]): MotionVariable | null => {
  const over = goneOver(place.loop);
  if (over === null) return null;
  const here = moving.filter((each) => each.frame === place.frame);
  const size = here.find((each) => each.variable.name === `len(${over})`)?.variable;
  const position = here.find(
    (each) => each.variable.name.startsWith('@iterator') && each.course === 'onward',
  )?.variable;
  if (size === undefined || position === undefined || size.down > 0.05 * size.up) return null;
  const [grown, gone] = [span(size), span(position)];
  if (!(gone > 100) || !(grown >= 0.95 * gone)) return null;
  const items = here.filter((each) => place.loop.targets.includes(each.variable.name));
  if (!items.some((each) => each.course === 'returns')) return null;
  const along = (each: Moving): boolean =>
    each.frame.depth > place.frame.depth
      ? each.course === 'new'
      : each.variable.name.startsWith('@iterator') ||
        place.loop.targets.includes(each.variable.name) ||
        each.variable.type === 'list' ||
        (each.variable.type === 'size' && Math.abs(span(each.variable) - grown) <= 0.05 * grown);
  const others = moving.filter((each) => /^(onward|counts|new)$/.test(each.course) && !along(each));
  return others.length === 0 ? size : null;
};
