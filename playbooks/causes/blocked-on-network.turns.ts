import type { Look } from '../model/index.ts';
import type { SampleData } from '../probes/sample.ts';
import { socketRates } from '../probes/socket-rates.ts';
import { sockets } from '../probes/sockets.ts';
import { type Connection, connections } from '../reading/connections.ts';
import { type PythonView, threadOf } from '../reading/python.ts';
import { sampledCalls } from '../reading/syscalls.ts';
import { type TurnView, turnFrame, turnsOf } from '../reading/turns.ts';
import { LOOPS, type Wait } from './blocked-on-network.seen.ts';
import { purposeOf } from './blocked-on-network.waits.ts';

/** Functions that bound what they await: `asyncio.wait_for`, `asyncio.timeout`, `gevent.Timeout`, `eventlet.Timeout`. */
const BOUNDED = /(^|\.)(wait_for|with_timeout|timeout|fail_after|move_on_after)$/i;

/** A wait that a timer ends within so many seconds is an answer that is given its time. */
const PATIENCE_SECONDS = 60;

const bounded = (turn: TurnView): boolean =>
  (turn.limitSeconds ?? Number.POSITIVE_INFINITY) <= PATIENCE_SECONDS ||
  turn.stack.frames.some((frame) => LOOPS.test(frame.file) && BOUNDED.test(frame.function));

/** The connections by descriptor. */
const byDescriptor = (look: Look): ReadonlyMap<number, Connection> => {
  const seen = look.see(sockets);
  const all = connections(look);
  const found = new Map<number, Connection>();
  if (!seen.seen) return found;
  for (const { fd, inode } of seen.data.sockets) {
    const connection = all.get(inode ?? '');
    if (fd !== null && connection !== undefined) found.set(fd, connection);
  }
  return found;
};

/** It asked there as a client, and the answer has not begun; or it has not been let in yet. */
const owes = ({ socket, side, spokeLast }: Connection): boolean =>
  socket.state === 'SYN-SENT' ||
  (side !== 'server' && socket.state === 'ESTAB' && socket.receiveQueue === 0 && (spokeLast || socket.sendQueue > 0));

/** Inodes of sockets on which something came in during the window: a greenlet that waits in one place asks again and again. */
const heardOn = (look: Look): ReadonlySet<string> => {
  const seen = look.see(socketRates);
  if (!seen.seen) return new Set();
  return new Set(seen.data.sockets.flatMap(({ inode, received }) => (received > 0 ? [inode] : [])));
};

/**
 * Tasks and greenlets that awaited the same thing at both looks, on a connection on which the other side owes an answer.
 * Those with a limit around them are left out: it ends their wait.
 */
export const turnWaits = (look: Look, data: SampleData, view: PythonView | null): Wait[] => {
  const connected = byDescriptor(look);
  const heard = heardOn(look);
  const turns = turnsOf(look).filter((turn) => turn.state === 'waiting');
  // Before Python 3.12 what `wait_for` bounds is a task of its own, and nothing in its stack says so.
  const limited = turns.filter(bounded).reduce((sum, turn) => sum + turn.count, 0);
  const alone = turns.filter((turn) => turn.sockets.length > 0).length === 1;
  return turns.flatMap((turn): Wait[] => {
    if (turn.still === 0 || bounded(turn) || limited >= turn.count) return [];
    const connection = turn.sockets
      .map((fd) => connected.get(fd))
      .find((each) => each !== undefined && owes(each) && !heard.has(each.socket.inode ?? ''));
    const thread = data.threads.find((each) => each.tid === (turn.tid ?? look.target.pid));
    const call = thread === undefined ? undefined : sampledCalls(thread)[0];
    if (connection === undefined || thread === undefined || call === undefined) return [];
    const frames = turn.stack.frames.filter((frame) => !LOOPS.test(frame.file));
    const purpose = purposeOf({ ...turn.stack, frames });
    const python = threadOf(view, thread.tid);
    const base = { thread, python, call, connection, purpose, own: turnFrame(turn), timeoutMs: null };
    return [{ ...base, guessed: false, main: alone, loop: false, turn }];
  });
};
