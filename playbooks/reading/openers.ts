import type { Look, PythonFrame } from '../model/index.ts';
import { strace } from '../probes/strace.ts';
import { ownThreads } from './lock-waits.ts';
import { pathKey } from './locks.ts';
import { isLibraryFile, ownFrame, type PythonThreadView, type PythonView, pythonThreads, threadOf } from './python.ts';

/** Where in a program descriptors of a kind are opened. */
export interface Opener {
  readonly thread: PythonThreadView;
  readonly frame: PythonFrame;
  /**
   * `line`: the line that runs, or that is waited behind, opens such a thing. `trace`: this thread was traced opening them, and
   * this is where its own code was. `only`: no other thread runs code of the program.
   */
  readonly by: 'line' | 'trace' | 'only';
  /** The line of source that opens it, when it could be read. */
  readonly source: { readonly text: string; readonly line: number } | null;
  /** A traced call that opened one. */
  readonly call: { readonly evidenceId: string; readonly at: number; readonly text: string } | null;
}

/** What source text opens descriptors of a kind. */
const OPENS: Readonly<Record<string, RegExp>> = {
  file: /\b(open|fdopen|mkstemp|TemporaryFile|NamedTemporaryFile|SpooledTemporaryFile|FileHandler|FileIO|memmap|connect|openpyxl|read_text)\s*\(|\.open\s*\(/,
  'deleted file': /\b(TemporaryFile|mkstemp|open|SpooledTemporaryFile)\s*\(/,
  socket:
    /\b(socket|socketpair|create_connection|urlopen|connect|accept|HTTPSConnection|HTTPConnection|Session|Client|Redis|SMTP|FTP)\s*\(|\b(requests|session|http|client|httpx)\.(get|post|put|request|head|delete|send)\s*\(/,
  pipe: /\b(Popen|pipe|Pipe|run|check_output|popen|Queue)\s*\(/,
  epoll: /\b(epoll|DefaultSelector|EpollSelector|new_event_loop|asyncio\.run)\s*\(/,
  eventfd: /\beventfd\s*\(/,
  inotify: /\b(inotify\w*|INotify|Observer)\s*\(/i,
  memfd: /\b(memfd_create|SharedMemory)\s*\(/,
};

/** System calls that give a descriptor of a kind (man pages, section 2). */
const CALLS: Readonly<Record<string, RegExp>> = {
  file: /^(open|openat|openat2|creat)$/,
  'deleted file': /^(open|openat|openat2|creat)$/,
  socket: /^(socket|socketpair|accept|accept4)$/,
  pipe: /^pipe2?$/,
  epoll: /^epoll_create1?$/,
  eventfd: /^eventfd2?$/,
  inotify: /^inotify_init1?$/,
  memfd: /^memfd_create$/,
  timerfd: /^timerfd_create$/,
  signalfd: /^signalfd4?$/,
};

/** Functions of the standard library that open such things for their caller. */
const LIBRARIES: Readonly<Record<string, RegExp>> = {
  file: /\/(tempfile|pathlib|shelve|sqlite3\/\w+|zipfile|tarfile|gzip|codecs|io|logging\/\w+)\.py$/,
  'deleted file': /\/tempfile\.py$/,
  socket: /\/(socket|http\/client|urllib\/request|smtplib|ftplib|imaplib|ssl|asyncio\/\w+)\.py$|\/(requests|urllib3)\//,
  pipe: /\/(subprocess|multiprocessing\/\w+)\.py$/,
  epoll: /\/(selectors|asyncio\/\w+)\.py$/,
};

/** Who was traced opening things of this kind (and name) that it did not close, and a call that shows it. */
const tracedOpeners = (look: Look, kind: string, name: string | null) => {
  const traced = look.see(strace);
  const wanted = CALLS[kind];
  if (!traced.seen || wanted === undefined) return [];
  const own = ownThreads(look);
  const found = new Map<number, { count: number; at: number; text: string }>();
  const folder = name?.replace(/\*.*$/s, '') ?? null;
  for (const call of traced.data.detail.calls) {
    if (!wanted.test(call.name) || !own.has(call.tid)) continue;
    const opened = /^\d+/.test(call.result ?? '');
    const starved = call.errno === 'EMFILE' || call.errno === 'ENFILE';
    if (!opened && !starved) continue;
    const path = /<(\/[^>]*)>$/.exec(call.result ?? '')?.[1] ?? /"((?:[^"\\]|\\.)*)"/.exec(call.args)?.[1] ?? null;
    if (folder !== null && !starved && path !== null && !pathKey(path).includes(pathKey(folder))) continue;
    const known = found.get(call.tid);
    found.set(call.tid, {
      count: (known?.count ?? 0) + 1,
      at: known?.at ?? call.at,
      text: known?.text ?? `${call.name}(${call.args})`,
    });
  }
  return [...found]
    .map(([tid, rest]) => ({ tid, evidenceId: traced.evidenceId, ...rest }))
    .sort((a, b) => b.count - a.count);
};

/** The frames of the program's own code on any stack of a thread, innermost first, each function once. */
const ownFrames = (thread: PythonThreadView): PythonFrame[] => {
  const found: PythonFrame[] = [];
  for (const stack of thread.stacks)
    for (const frame of stack.frames)
      if (
        !isLibraryFile(frame.file) &&
        !found.some((each) => each.file === frame.file && each.function === frame.function)
      )
        found.push(frame);
  return found;
};

/** The line nearest to where the thread was that opens such a thing, in one of its own functions. */
const openingLine = (view: PythonView, thread: PythonThreadView, kind: string) => {
  const pattern = OPENS[kind];
  if (pattern === undefined) return null;
  for (const frame of ownFrames(thread)) {
    const lines = view.source
      .filter((line) => line.file === frame.file && line.line >= frame.firstLine && pattern.test(line.text))
      .sort((a, b) => Math.abs(a.line - frame.line) - Math.abs(b.line - frame.line));
    const [nearest] = lines;
    if (nearest !== undefined && Math.abs(nearest.line - frame.line) < 60) return { frame, source: nearest };
  }
  return null;
};

/** Whether one of the thread's stacks was inside of a library function that opens such things. */
const insideLibrary = (thread: PythonThreadView, kind: string): PythonFrame | null => {
  const pattern = LIBRARIES[kind];
  if (pattern === undefined) return null;
  for (const stack of thread.stacks) {
    const inner = stack.frames[0];
    const own = ownFrame(stack);
    if (inner !== undefined && own !== null && inner !== own && pattern.test(inner.file)) return own;
  }
  return null;
};

/** Where descriptors of this kind and name are opened, as far as it can be told; null when nothing points anywhere. */
export const openerOf = (look: Look, kind: string, name: string | null): Opener | null => {
  const view = pythonThreads(look);
  if (view === null) return null;
  const traced = tracedOpeners(look, kind, name);
  const call = (tid: number | null) => traced.find((each) => each.tid === tid) ?? null;
  const candidates = traced.length > 0 ? traced.flatMap((each) => threadOf(view, each.tid) ?? []) : view.threads;
  for (const thread of candidates) {
    const line = openingLine(view, thread, kind);
    if (line !== null)
      return {
        thread,
        frame: line.frame,
        by: 'line',
        source: { text: line.source.text.trim(), line: line.source.line },
        call: call(thread.tid),
      };
  }
  for (const thread of candidates) {
    const frame = insideLibrary(thread, kind);
    if (frame !== null) return { thread, frame, by: 'line', source: null, call: call(thread.tid) };
  }
  const running = candidates.filter((thread) => ownFrames(thread).length > 0);
  const [thread] = running;
  const stack = thread?.stacks[0];
  const frame = stack === undefined ? null : ownFrame(stack);
  if (thread === undefined || frame === null || isLibraryFile(frame.file)) return null;
  if (traced.length > 0) return { thread, frame, by: 'trace', source: null, call: call(thread.tid) };
  return running.length === 1 ? { thread, frame, by: 'only', source: null, call: null } : null;
};
