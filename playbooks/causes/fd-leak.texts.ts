import type { Fix, Look } from '../model/index.ts';
import type { FdGroup } from '../probes/fds.ts';
import type { Course, ToldFull } from '../reading/descriptors.ts';
import type { Opener } from '../reading/openers.ts';
import { frameName, threadName } from '../reading/python.ts';
import { code, count, duration, percent, shellCommand } from '../reading/text.ts';

/** Sentences and fixes of fd-leak. */

const NOUNS: Readonly<Record<string, readonly [string, string]>> = {
  file: ['file', 'files'],
  'deleted file': ['deleted file', 'deleted files'],
  socket: ['socket', 'sockets'],
  pipe: ['end of a pipe', 'ends of pipes'],
  epoll: ['epoll instance', 'epoll instances'],
  eventfd: ['eventfd', 'eventfds'],
  inotify: ['inotify instance', 'inotify instances'],
  memfd: ['memory file', 'memory files'],
  timerfd: ['timer', 'timers'],
  signalfd: ['signalfd', 'signalfds'],
  pidfd: ['process descriptor', 'process descriptors'],
  io_uring: ['io_uring instance', 'io_uring instances'],
};

/** `62 times the file /a/b`, `62 files /a/x-*.tmp`, `62 sockets`; of a peer where that is known. */
export const groupWords = (group: FdGroup, peer: string | null): string => {
  const [one, many] = NOUNS[group.kind] ?? ['descriptor', `descriptors of kind ${group.kind}`];
  if (group.name !== null && group.names === 1) return `${count(group.last, 'time')} the ${one} ${code(group.name)}`;
  const name = group.name === null ? '' : ` ${code(group.name)}`;
  return `${count(group.last, one, many)}${name}${peer === null ? '' : ` (${peer})`}`;
};

/** How near it is to its limit. */
export const levelWords = (open: number, room: number | null): string =>
  room === null ? `${count(open, 'descriptor')} open` : `${open} of ${room} descriptors open (${percent(open / room)})`;

/** How the number moved. */
export const courseWords = (course: Course, seconds: number): string => {
  if (course.grown === 0) return `The number did not change over ${duration(seconds)}.`;
  const way = course.grown > 0 ? 'rose' : 'fell';
  return `In ${duration(seconds)} the number ${way} from ${course.first} to ${course.last}.`;
};

/** When the limit will be reached at this pace; empty when it is not rising or not known. */
export const leftWords = (course: Course, seconds: number, room: number | null): string => {
  if (room === null || !course.rises || course.last >= room || seconds <= 0) return '';
  return ` At this pace the limit is reached in about ${duration(((room - course.last) * seconds) / course.grown)}.`;
};

/** Where they are opened, and how that is known. */
export const openerWords = (opener: Opener | null): string => {
  if (opener === null) return ' Where they are opened could not be seen.';
  const place = frameName(opener.frame);
  const who = threadName(opener.thread);
  if (opener.by === 'line') {
    const source = opener.source === null ? '' : `, line ${opener.source.line}: ${code(opener.source.text, 120)}`;
    return ` They are opened in ${place}${source}${opener.call === null ? ', as its source says' : `, and ${who} was traced opening them`}.`;
  }
  if (opener.by === 'trace') return ` The trace shows ${who} opening them; its own code was in ${place}.`;
  return ` Inferred: that ${place} opens them, the only code of the program that ran in the window.`;
};

const SNIPPETS: Readonly<Record<string, string>> = {
  file: 'with open(path) as file:          # closed at the end of the block, whatever happens in it\n    data = file.read()',
  'deleted file':
    'with tempfile.TemporaryFile() as scratch:   # gone, and its space freed, at the end of the block\n    scratch.write(data)',
  socket:
    'with socket.create_connection(address, timeout=10) as connection:\n    ...\n# or, with requests: one Session for all, and\nwith session.get(url, timeout=10, stream=True) as answer:\n    ...',
  pipe: 'with subprocess.Popen(command, stdout=subprocess.PIPE) as child:   # closes its pipes and waits for it\n    out, _ = child.communicate(timeout=60)',
  epoll:
    'loop = asyncio.new_event_loop()\ntry:\n    loop.run_until_complete(work())\nfinally:\n    loop.close()      # an event loop keeps an epoll instance and a socket pair until then',
  memfd: 'block = shared_memory.SharedMemory(name)\ntry:\n    ...\nfinally:\n    block.close()',
};

/** What to change in the program. */
export const closeFix = (group: FdGroup, opener: Opener | null): Fix => {
  const where = opener === null ? 'Where they are opened' : `In ${frameName(opener.frame)}`;
  return {
    title:
      opener === null
        ? 'Close what is opened'
        : opener.by === 'line'
          ? `Close in ${code(opener.frame.function)} what it opens (${code(`${opener.frame.file}:${opener.source?.line ?? opener.frame.line}`)})`
          : `Find what ${code(opener.frame.function)} opens, or what it calls, and close it`,
    detail:
      `${where}: use ${code('with')}, or ${code('close()')} in a ${code('finally')}, also on the paths that raise or return early. ` +
      'An object that a list, a cache, a global or a traceback still refers to is never closed by itself.',
    code: SNIPPETS[group.kind] ?? 'with contextlib.closing(opened) as resource:\n    ...',
  };
};

/** How to see them, and whether the change helped. */
export const verifyFix = (look: Look, group: FdGroup | null): Fix => {
  const folder = `/proc/${look.target.pid}/fd`;
  const name = group?.name?.replace(/\*.*$/s, '') ?? (group === null ? null : `${group.kind}:`);
  const kind = group !== null && group.name === null && /^(socket|pipe)$/.test(group.kind) ? `${group.kind}:` : name;
  const list =
    kind === null
      ? shellCommand(['ls', folder])
      : `${shellCommand(['ls', '-l', folder])} | ${shellCommand(['grep', '-cF', kind])}`;
  return {
    title: 'Watch the number, before and after the change',
    detail: 'It has to come back to where it was after each piece of work, and stay there.',
    code: `watch -n 5 ${shellCommand([`ls ${folder} | wc -l`])}\n${list}`,
  };
};

/** Room until the change is out. */
export const roomFix = (look: Look, soft: number, hard: number | null): Fix | null => {
  const next = Math.min(hard ?? Number.MAX_SAFE_INTEGER, soft * 4);
  if (next <= soft) return null;
  return {
    title: 'To gain time: raise the limit of the running process',
    detail:
      `The soft limit is ${soft}, the hard one ${hard ?? 'unlimited'}. A higher limit delays the end and cures nothing; for a service that needs more by its load, ` +
      `set ${code('LimitNOFILE=')} in its unit.`,
    code: shellCommand(['prlimit', '--pid', String(look.target.pid), `--nofile=${next}:${hard ?? 'unlimited'}`]),
  };
};

/** What the process's own log says of it; empty when it says nothing. */
export const toldWords = (told: ToldFull | null): string => {
  if (told === null) return '';
  const last = told.agoSeconds === null ? '' : `, last ${duration(told.agoSeconds)} before this look`;
  return ` Its own log says ${count(told.times, 'time')} that too many files were open${last}.`;
};
