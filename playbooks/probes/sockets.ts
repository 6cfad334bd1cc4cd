import { z } from 'zod';
import {
  defineProbe,
  type Evidence,
  evidenceErrorText,
  evidenceLines,
  LineNumber,
  type Parsed,
  type StepContext,
} from '../model/index.ts';

export const Socket = z.object({
  fd: z.number().int().nullable(),
  /** `tcp`, `udp`, `unix`, … */
  kind: z.string(),
  /** ss's word: ESTAB, LISTEN, CLOSE-WAIT, SYN-SENT, UNCONN, … */
  state: z.string(),
  local: z.string(),
  peer: z.string(),
  receiveQueue: z.number(),
  sendQueue: z.number(),
  inode: z.string().nullable(),
  bytesReceived: z.number().nullable(),
  bytesSent: z.number().nullable(),
  /** Milliseconds since data last came in or went out (ss lastrcv, lastsnd). */
  lastReceivedMs: z.number().nullable(),
  lastSentMs: z.number().nullable(),
  timer: z.string().nullable(),
  at: LineNumber,
});
export type Socket = z.infer<typeof Socket>;
export const SocketsData = z.object({ sockets: z.array(Socket) });
export type SocketsData = z.infer<typeof SocketsData>;

/** A line of sockets.sh: kind, descriptor, state, both queues, both ends, and what else ss said. */
const LINE = /^([a-z][a-z0-9]{0,15}) fd=(\d{1,10}) (\S{1,20}) (\d{1,15}) (\d{1,15}) (\S+) (\S+)(?: (.*))?$/;

/** What ss says of the connection itself, behind the mark for its direction; a cgroup's name, which comes before, is not. */
const connectionPart = (details: string): string => {
  const marks = [' <-> ', ' --> ', ' <-- ', ' --- '].map((mark) => details.lastIndexOf(mark));
  const at = Math.max(...marks);
  return at === -1 ? details : details.slice(at);
};

const field = (details: string, name: string): number | null => {
  const found = new RegExp(`(?:^| )${name}:(\\d{1,18})(?= |$)`).exec(details)?.[1];
  return found === undefined ? null : Number(found);
};

/**
 * Fields of tcp_info that ss leaves out when they are 0 (tcp_stats_print in iproute2's misc/ss.c), so that an absent one
 * is 0 as soon as another of its age is there.
 */
const readConnection = (details: string) => {
  const of = (name: string): number | null => field(details, name);
  const counts = ['bytes_sent', 'bytes_acked', 'bytes_received', 'segs_out', 'segs_in'].some(
    (name) => of(name) !== null,
  );
  const ages = ['lastsnd', 'lastrcv', 'lastack'].some((name) => of(name) !== null);
  return {
    bytesReceived: of('bytes_received') ?? (counts ? 0 : null),
    // Kernels before 4.19 count only what was acknowledged, a SYN included; 4.18 brought `delivered`.
    bytesSent: of('bytes_sent') ?? (of('delivered') === null ? of('bytes_acked') : null) ?? (counts ? 0 : null),
    lastReceivedMs: of('lastrcv') ?? (ages ? 0 : null),
    lastSentMs: of('lastsnd') ?? (ages ? 0 : null),
  };
};

const readSocket = (line: string, at: number): Socket | null => {
  const match = LINE.exec(line);
  if (match === null) return null;
  const [, kind = '', fd, state = '', receive, send, local = '', peer = '', details = ''] = match;
  return {
    fd: Number(fd),
    kind,
    state: state === '?' ? 'UNKNOWN' : state,
    local,
    peer,
    receiveQueue: Number(receive),
    sendQueue: Number(send),
    inode: /(?:^| )ino:(\d{1,20})(?= |$)/.exec(details)?.[1] ?? null,
    ...readConnection(connectionPart(details)),
    timer: /(?:^| )timer:\(([^)]{0,80})\)/.exec(details)?.[1] ?? null,
    at,
  };
};

const parse = (evidence: Evidence, step: StepContext): Parsed<SocketsData> => {
  const lines = evidenceLines(evidence);
  const { pid } = step.target;
  if (lines.some((line) => line.startsWith('== gone: '))) {
    return { ok: false, reason: 'target-gone', why: `process ${pid} had ended before its sockets could be listed` };
  }
  if (lines.some((line) => line.startsWith('== denied: '))) {
    const why = `the descriptors of process ${pid} may be read only by root and by its own user`;
    return { ok: false, reason: 'no-permission', why };
  }
  if (!lines.some((line) => line.startsWith('== '))) {
    const said = evidenceErrorText(evidence).trim().split('\n').at(-1)?.slice(0, 200) ?? '';
    return { ok: false, reason: 'not-parsable', why: `the list of sockets could not be read${said && `: ${said}`}` };
  }
  const sockets = lines.map((line, index) => readSocket(line, index + 1)).filter((socket) => socket !== null);
  const end = lines.map((line) => /^== sockets: (\d+), shown: (\d+), ambiguous names: (\d+)$/.exec(line)).find(Boolean);
  const partly: string[] = [];
  if (end === undefined || end === null) partly.push('the list of sockets was broken off');
  else if (Number(end[2]) < Number(end[1])) partly.push(`${end[2]} of ${end[1]} sockets are shown`);
  const imitated = Number(end?.[3] ?? 0);
  if (imitated === 1) partly.push('1 unix socket could not be told from a name that imitates it');
  if (imitated > 1) partly.push(`${imitated} unix sockets could not be told from names that imitate them`);
  const late = lines
    .map((line) => /^== out of time: ([a-z ]{1,20})$/.exec(line)?.[1])
    .find((kinds) => kinds !== undefined);
  if (late !== undefined) partly.push(`ss did not finish in its time: sockets are missing (${late})`);
  if (lines.some((line) => line.startsWith('== no ss '))) {
    partly.push('there is no ss that works on the host: bytes and ages of connections are not known');
  }
  return { ok: true, data: { sockets }, partly };
};

/**
 * The process's sockets with queues, states, peers and what TCP counted (ss(8), else /proc/PID/net, proc_pid_net(5)), in
 * the process's own network namespace. In CLOSE-WAIT the kernel counts the peer's FIN as one byte, in the receive queue as
 * in bytes received. A descriptor whose socket neither knows (netlink, another namespace's) has the kind `other`.
 */
export const sockets = defineProbe<SocketsData>({
  id: 'sockets',
  title: 'Sockets',
  phase: 1,
  impacts: ['none'],
  ptraces: false,
  needs: { privilege: 'none' },
  limits: { seconds: () => 25, bytes: 4 * 1024 * 1024, endWith: 'TERM' },
  options: z.strictObject({}),
  data: SocketsData,
  command: (step) => ({ argv: ['sh', '{script:sockets.sh}', String(step.target.pid)], scripts: ['sockets.sh'] }),
  parse,
});
