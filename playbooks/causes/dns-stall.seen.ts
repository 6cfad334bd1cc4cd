import type { Look, PythonFrame, PythonStack } from '../model/index.ts';
import type { SampleData, SampledThread } from '../probes/sample.ts';
import { type SocketRatesData, socketRates } from '../probes/socket-rates.ts';
import { sockets } from '../probes/sockets.ts';
import { strace } from '../probes/strace.ts';
import { splitAddress } from '../reading/connections.ts';
import {
  isLibraryFile,
  nativeCalls,
  type PythonThreadView,
  type PythonView,
  shareWhere,
  threadOf,
} from '../reading/python.ts';
import { intArgument, sampledCalls } from '../reading/syscalls.ts';
import { askedName } from './dns-stall.names.ts';

/** A thread that spent (most of) the window looking up names. */
export interface Lookup {
  readonly thread: SampledThread;
  readonly python: PythonThreadView | null;
  /** The frame of `getaddrinfo`, where Python has one of its own for it. */
  readonly resolving: PythonFrame | null;
  /** The program's own frame that asked. */
  readonly own: PythonFrame | null;
  /** Share of the window that it was in the resolver. */
  readonly share: number;
  /** Seconds between two wake-ups at an average, while it was there: how long an answer takes at least. */
  readonly wait: number;
  /** How it is known: by Python frames, by C functions, or by its wait and a socket to a name server. */
  readonly by: 'python' | 'native' | 'socket';
}

/** A name server with an open question. */
export interface Asked {
  readonly kind: 'udp' | 'tcp';
  readonly peer: string;
  /** Share of the looks in which it was being asked; null when there was only one look. */
  readonly share: number | null;
  readonly sockets: number;
  readonly quote: { readonly evidenceId: string; readonly at: number };
}

/** Python functions in which a name is looked up: part of the path, function. */
const RESOLVING: readonly (readonly [file: RegExp, names: RegExp])[] = [
  [/\/socket\.py$/, /^(getaddrinfo|getfqdn|gethostbyname\w*)$/],
  [
    /\/dns\/(query|resolver|asyncresolver|asyncquery)\.py$/,
    /(^|\.)(udp\w*|tcp|query|resolve\w*|send_and_receive|_wait_for\w*)$/,
  ],
  [/\/gevent\/resolver\//, /./],
  [/\/eventlet\/support\/greendns\.py$/, /./],
  [/\/pycares\/|\/aiodns\//, /./],
];

const NATIVE =
  /^(__)?(libc_)?(res_|_nss_(dns|resolve|mdns|myhostname)|getaddrinfo|gaih_inet|gethostby(name|addr)|getnameinfo|send_dg|nscd_)/;

const isResolving = (frame: PythonFrame): boolean =>
  RESOLVING.some(([file, names]) => file.test(frame.file) && names.test(frame.function));

const inResolver = (stack: PythonStack): boolean => stack.frames.slice(0, 6).some(isResolving);

/** Share of its samples in which it waited for one descriptor with a limit, as the C library's resolver does. */
const polls = (thread: SampledThread): number =>
  sampledCalls(thread)
    .filter((call) => /^p?poll$/.test(call.name) && intArgument(call.args, 1) === 1)
    .filter((call) => call.name === 'ppoll' || (intArgument(call.args, 2) ?? 0) > 0)
    .reduce((sum, call) => sum + call.share, 0);

/** A connection pool's or executor's bottom frame is nobody's own. */
const ownOn = (stack: PythonStack | undefined): PythonFrame | null =>
  stack?.frames.find((frame) => !isLibraryFile(frame.file)) ?? null;

const lookupOf = (
  look: Look,
  data: SampleData,
  view: PythonView | null,
  asked: readonly Asked[],
  thread: SampledThread,
): Lookup | null => {
  const python = threadOf(view, thread.tid);
  const stack = python?.stacks.find(inResolver);
  const frames = python === null ? 0 : shareWhere(python, inResolver);
  const kernel = polls(thread);
  const native = nativeCalls(look, thread.tid).some((call) => NATIVE.test(call.function));
  // A function of the interpreter's own (`gethostbyname`) has no frame: then the wait must be like the resolver's.
  const open = asked.some((each) => (each.share ?? 0) >= 0.6 || each.share === null);
  const by = frames > 0 ? 'python' : native ? 'native' : open && kernel >= 0.6 ? 'socket' : null;
  if (by === null) return null;
  const share = by === 'python' ? frames : kernel;
  const seconds = share * data.seconds;
  return {
    thread,
    python,
    resolving: stack?.frames.find(isResolving) ?? null,
    own: ownOn(stack ?? python?.stacks[0]),
    share,
    wait: seconds / Math.max(1, thread.voluntarySwitches ?? 0),
    by,
  };
};

/** The threads that look up names, those that do it most of the time first. */
export const lookups = (look: Look, data: SampleData, view: PythonView | null, asked: readonly Asked[]): Lookup[] =>
  data.threads.flatMap((thread) => lookupOf(look, data, view, asked, thread) ?? []).sort((a, b) => b.share - a.share);

const isNameServer = (peer: string): boolean => splitAddress(peer).port === 53;

/** The name servers with open questions, as far as sockets show them; most often asked first. */
export const askedServers = (look: Look): Asked[] => {
  const rates = look.see(socketRates);
  if (rates.seen) {
    const { looks, nameServers }: SocketRatesData = rates.data;
    return nameServers.map((each) => ({
      kind: each.kind,
      peer: each.peer,
      share: looks === 0 ? 0 : each.looks / looks,
      sockets: each.sockets,
      quote: { evidenceId: rates.evidenceId, at: each.at },
    }));
  }
  const seen = look.see(sockets);
  if (!seen.seen) return [];
  return seen.data.sockets
    .filter(
      (socket) =>
        (socket.kind === 'udp' || socket.kind === 'tcp') && socket.state !== 'LISTEN' && isNameServer(socket.peer),
    )
    .map((socket) => ({
      kind: socket.kind === 'udp' ? 'udp' : 'tcp',
      peer: socket.peer,
      share: null,
      sockets: 1,
      quote: { evidenceId: seen.evidenceId, at: socket.at },
    }));
};

/** The process answers such questions itself: a socket of its own is bound to the port of name servers. */
export const isNameServerItself = (look: Look): boolean => {
  const seen = look.see(sockets);
  return (
    seen.seen &&
    seen.data.sockets.some(
      (socket) => splitAddress(socket.local).port === 53 && (socket.kind === 'udp' || socket.state === 'LISTEN'),
    )
  );
};

/** A question to a name server or its time running out, in a trace of system calls: the evidence's lines. */
export const tracedQuestions = (
  look: Look,
): {
  readonly evidenceId: string;
  readonly asked: number | null;
  readonly names: readonly string[];
  readonly timeout: number | null;
} | null => {
  const traced = look.see(strace);
  if (!traced.seen) return null;
  const { calls } = traced.data.detail;
  const fds = new Set<string>();
  const names = new Set<string>();
  let asked: number | null = null;
  let timeout: number | null = null;
  for (const call of calls) {
    const fd = /^\[?\{?(?:fd=)?(\d+)/.exec(call.args)?.[1] ?? '';
    if (call.name === 'connect' && /htons\(53\)/.test(call.args)) fds.add(fd);
    if (/^send/.test(call.name) && (fds.has(fd) || /:53\]?>|htons\(53\)/.test(call.args))) {
      fds.add(fd);
      asked ??= call.at;
      const name = askedName(call.args);
      if (name !== null) names.add(name);
    }
    if (
      /^p?poll$/.test(call.name) &&
      call.result?.startsWith('0') === true &&
      (fds.has(fd) || /:53\]?>/.test(call.args))
    )
      timeout ??= call.at;
  }
  return { evidenceId: traced.evidenceId, asked, timeout, names: [...names].slice(0, 5) };
};
