import type { Look, PythonFrame, Quote } from '../model/index.ts';
import { pyStacks } from '../probes/py-stacks.ts';
import type { TurnGroup, Turns } from '../probes/py-stacks.turns.ts';
import { frameName, isLibraryFile, ownFrame } from './python.ts';
import { count } from './text.ts';

/** asyncio tasks, or greenlets, that stand in one place. */
export interface TurnView extends TurnGroup {
  readonly kind: 'task' | 'greenlet';
  readonly evidenceId: string;
}

const views = (kind: TurnView['kind'], turns: Turns | undefined, evidenceId: string): TurnView[] =>
  (turns?.groups ?? []).map((group) => ({ ...group, kind, evidenceId }));

/**
 * The groups of asyncio tasks and of greenlets that do not run, those with most members first within a kind. Empty when
 * there are none, or they could not be looked at.
 */
export const turnsOf = (look: Look): TurnView[] => {
  const seen = look.see(pyStacks);
  if (!seen.seen) return [];
  return [
    ...views('task', seen.data.tasks, seen.evidenceId),
    ...views('greenlet', seen.data.greenlets, seen.evidenceId),
  ];
};

/**
 * The groups with members that have to do with one of the sockets (descriptors of the process) and of which some waited
 * for the same thing in the same place all the while.
 */
export const turnsOn = (look: Look, descriptors: ReadonlySet<number>): TurnView[] =>
  turnsOf(look).filter((turn) => turn.still > 0 && turn.sockets.some((socket) => descriptors.has(socket)));

/** The frame of a group that is the program's own, innermost first; the innermost one where all are a library's. */
export const turnFrame = (turn: TurnView): PythonFrame | null => ownFrame(turn.stack);

/**
 * The groups whose turn has come and who did not get it: ready all the while, or past the time that a timer gave them.
 * Their loop did not come round to them.
 */
export const overdueTurns = (look: Look, tid: number | null): TurnView[] =>
  turnsOf(look).filter(
    (turn) =>
      turn.tid === tid &&
      turn.still > 0 &&
      (turn.state === 'ready' || (turn.state === 'waiting' && turn.limitSeconds === 0)),
  );

/** The line that counts the members of a group, and that of the frame that they stand in. */
export const quoteTurn = (look: Look, turn: TurnView): Quote[] => {
  const frame = turnFrame(turn);
  return [look.quote(turn.evidenceId, turn.at), ...(frame === null ? [] : [look.quote(turn.evidenceId, frame.at)])];
};

/**
 * What a thread's tasks or greenlets wait in, as a clause: `20 tasks wait, 18 of them in read_reply (app.py:12)`; null
 * when none is known to. Frames of event loops themselves, which have no place of the program's own, are not counted.
 */
export const turnsText = (look: Look, tid: number): string | null => {
  const mine = turnsOf(look).filter((turn) => turn.tid === tid && turn.state === 'waiting');
  const [first] = mine
    .filter((turn) => turn.stack.frames.some((frame) => !isLibraryFile(frame.file)))
    .toSorted((left, right) => right.count - left.count);
  const frame = first === undefined ? null : turnFrame(first);
  if (first === undefined || frame === null) return null;
  const all = mine.filter((turn) => turn.kind === first.kind).reduce((sum, turn) => sum + turn.count, 0);
  const named = `${count(all, first.kind)} ${all === 1 ? 'waits' : 'wait'}`;
  return all === first.count
    ? `${named} in ${frameName(frame)}`
    : `${named}, ${first.count} of them in ${frameName(frame)}`;
};
