import { defineCause, type FindingDraft, type Fix, type Look, type Observation, type Quote } from '../model/index.ts';
import { type IdentifyData, identify } from '../probes/identify.ts';
import { type SampleData, sample } from '../probes/sample.ts';
import { stateShare } from '../reading/syscalls.ts';
import { code, count, list, shellCommand, visible } from '../reading/text.ts';

type Seen<Data> = Extract<Observation<Data>, { seen: true }>;

/** Kernel functions in which a thread of a frozen cgroup waits (kernel/freezer.c, kernel/cgroup/freezer.c). */
const FREEZERS = new Set(['__refrigerator', 'do_freezer_trap', 'get_freezer_state']);

/** The threads that stood for (nearly) the whole window. A signal stops all; a tracer holds those that it is attached to. */
const standing = (data: SampleData) => data.threads.filter((thread) => stateShare(thread, 'Tt') >= 0.9);

const frozen = (data: SampleData): boolean =>
  data.threads.length > 0 &&
  data.threads.every(
    (thread) =>
      thread.samples > 0 && thread.wchans.some((wait) => FREEZERS.has(wait.name) && wait.count >= 0.9 * thread.samples),
  );

/** It did nothing at all in the window, as a frozen process does. */
const motionless = (data: SampleData): boolean =>
  data.threads.every((thread) => thread.userSeconds + thread.systemSeconds === 0 && stateShare(thread, 'R') === 0);

/** `its only thread`, `both of its threads`, `all of its 4 threads`. */
const allOf = (threads: number): string =>
  threads === 1 ? 'its only thread' : threads === 2 ? 'both of its threads' : `all of its ${count(threads, 'thread')}`;

const terminalOf = (data: SampleData | null): string | null => {
  const call = data?.threads
    .flatMap((thread) => thread.syscalls)
    .find((each) => /^\/dev\/(pts\/\d+|tty)/.test(each.fd ?? ''));
  return call === undefined ? null : `${call.name} on ${visible(call.fd ?? '')}`;
};

const stoppedRelatives = (process: IdentifyData) =>
  [
    ...(process.parent === null ? [] : [process.parent]),
    ...process.children,
    // All orphans are children of init: they are no relatives.
    ...(process.parent?.pid === 1 ? [] : process.siblings),
  ].filter((relative) => relative.state === 'T');

const continueFix = (pid: number, terminal: string | null): Fix => ({
  title: 'Let it run again',
  detail:
    'SIGCONT continues a stopped process where it stood. Find out first who stopped it and why (job control, a deploy or ' +
    'backup script, a supervisor): work that it held, such as leases and locks, may have been given to others meanwhile.' +
    (terminal === null
      ? ''
      : ` It was in ${terminal}: a background job that reads from a terminal is stopped again at once (SIGTTIN); start it with its standard input from /dev/null.`),
  code: `${shellCommand(['kill', '-CONT', String(pid)])}\ngrep -E '^(State|TracerPid)' /proc/${pid}/status`,
});

const tracerFixes = (pid: number, tracer: number, letter: string): Fix[] => [
  {
    title: `End the tracer, process ${tracer}, politely`,
    detail:
      'Ask whoever runs it first. In a gdb session the safe way is `detach` and then `quit`, because gdb then takes its ' +
      'breakpoints out again; SIGTERM makes an idle gdb, strace or debugger detach by itself.',
    code: `${shellCommand(['kill', '-TERM', String(tracer)])}\ngrep -E '^(State|TracerPid)' /proc/${pid}/status`,
  },
  {
    title: 'If it does not let go',
    detail:
      'When a tracer dies, the kernel lets its tracees run on (ptrace(2)); breakpoints that it had set stay in the code and ' +
      `end the process when they are reached.${letter === 'T' ? ' The process is stopped besides being traced: it needs SIGCONT too.' : ''}`,
    code: `${shellCommand(['kill', '-KILL', String(tracer)])}\n${shellCommand(['kill', '-CONT', String(pid)])}`,
  },
];

const quotesOf = (look: Look, who: Seen<IdentifyData>, sampled: Observation<SampleData>): Quote[] => {
  const quotes = [look.quote(who.evidenceId, who.data.state.at)];
  const tracer = who.data.tracer;
  if (tracer !== null && tracer.at !== who.data.state.at) quotes.push(look.quote(who.evidenceId, tracer.at));
  const thread = sampled.seen ? sampled.data.threads[0] : undefined;
  if (sampled.seen && thread !== undefined) quotes.push(look.quote(sampled.evidenceId, thread.at));
  return quotes;
};

const tracedFinding = (pid: number, letter: string, tracer: NonNullable<IdentifyData['tracer']>, how: string) => {
  const command = tracer.command === null ? '' : ` (${code(tracer.command, 120)})`;
  return {
    title: `Process ${pid} is held by the debugger or tracer with pid ${tracer.pid}`,
    summary:
      `${how} Process ${tracer.pid}${command} is attached to it with ptrace and has not let it go on, so it answers ` +
      'nothing, does no work and reacts to no signal but SIGKILL. A debugger session that was left open does exactly this.',
    fixes: tracerFixes(pid, tracer.pid, letter),
    related: [{ pid: tracer.pid, why: 'it traces this process and holds it' }],
  };
};

const stoppedFinding = (process: IdentifyData, pid: number, letter: string, how: string, terminal: string | null) => {
  const others = stoppedRelatives(process);
  const besides =
    others.length === 0
      ? ''
      : ` ${list(others.slice(0, 5).map((each) => `${each.pid} (${code(each.comm, 40)})`))} in its family ${others.length === 1 ? 'is' : 'are'} stopped too${others.length > 5 ? `, ${others.length} in all` : ''}, as when a whole job is stopped.`;
  const why =
    letter === 't'
      ? 'A tracer holds it that cannot be seen from here, because it runs in another pid namespace.'
      : 'Somebody sent it SIGSTOP, or SIGTSTP, SIGTTIN or SIGTTOU from a terminal; the kernel does not keep who. Nobody traces it now.';
  return {
    title: `Process ${pid} is stopped (state ${letter}): nothing in it runs until it is continued`,
    summary: `${how} ${why} Its sockets stay open and connect, so to others it looks like a hang.${besides}`,
    fixes: [continueFix(pid, terminal)],
    related: others.slice(0, 5).map((each) => ({ pid: each.pid, why: 'it is stopped too' })),
  };
};

const thawCode = (who: IdentifyData, pid: number): string => {
  if (who.frozen !== undefined)
    return `echo ${who.frozen.thaw} > ${shellCommand([who.frozen.file])}\ngrep State /proc/${pid}/status`;
  const path = who.cgroup?.path ?? '';
  const file = `/sys/fs/cgroup${path === '/' ? '' : path}/cgroup.freeze`;
  return `cat /proc/${pid}/cgroup\n${path === '' ? '' : `echo 0 > ${shellCommand([file])}`}`.trim();
};

const frozenFinding = (look: Look, who: Seen<IdentifyData>, sampled: Observation<SampleData>): FindingDraft => {
  const { pid } = look.target;
  const { frozen: by } = who.data;
  const data = sampled.seen ? sampled.data : null;
  const thread = data?.threads[0];
  const threads = data === null ? '' : allOf(data.threads.length);
  const said =
    by === undefined
      ? ''
      : `The kernel says that its control group is frozen (${code(by.file, 200)} is where that was asked for). `;
  return {
    confidence: by === undefined ? 0.9 : data === null ? 0.93 : 0.97,
    title: `Process ${pid} is frozen by its cgroup`,
    summary: `${said}${data === null ? '' : `${threads.charAt(0).toUpperCase()}${threads.slice(1)} stood for the whole window${by === undefined ? " in the kernel's freezer" : ', without any CPU time'}. `}A container that was paused, a suspended unit or a snapshot that did not thaw does this; signals wait until it is thawed.`,
    evidence: [
      look.quote(who.evidenceId, who.data.state.at),
      ...(by === undefined ? [] : [look.quote(who.evidenceId, by.at)]),
      ...(sampled.seen && thread !== undefined ? [look.quote(sampled.evidenceId, thread.at)] : []),
    ],
    fixes: [
      {
        title: 'Thaw it',
        detail:
          'Use the tool that froze it: `docker unpause`, `podman unpause`, `systemctl thaw UNIT`, `virsh resume`.' +
          (by === undefined
            ? ' By hand it is the cgroup that /proc names; on cgroup v2 write 0 to cgroup.freeze, on v1 write THAWED to freezer.state, in it or the folder above that is frozen.'
            : ' By hand it is the file below; find out first who froze it and why.'),
        code: thawCode(who.data, pid),
      },
    ],
  };
};

/** The process is in state T or t, or frozen: it does nothing at all until somebody lets it go on. */
export const processStopped = defineCause({
  id: 'process-stopped',
  title: 'The process is stopped',
  needs: [identify],
  explains: [
    'blocked-on-network',
    'db-lock-wait',
    'dns-stall',
    'event-loop-blocked',
    'file-lock-wait',
    'io-stall',
    'pipe-deadlock',
    'signal-storm',
    'waiting-forever',
    'zombie-children',
  ],
  judge: (look) => {
    const who = look.see(identify);
    if (!who.seen) return { verdict: 'cannot-tell', why: who.why, wants: [identify.id] };
    const sampled = look.see(sample);
    const { letter } = who.data.state;
    const { pid } = look.target;
    const told = who.data.frozen !== undefined && (!sampled.seen || motionless(sampled.data));
    if (told || (sampled.seen && frozen(sampled.data)))
      return { verdict: 'fires', findings: [frozenFinding(look, who, sampled)] };
    if (letter !== 'T' && letter !== 't') {
      const tracer = who.data.tracer;
      return tracer === null
        ? { verdict: 'clear', why: `its state is ${letter}, and nobody traces it` }
        : { verdict: 'clear', why: `process ${tracer.pid} traces it but lets it run (state ${letter})` };
    }
    const stood = sampled.seen ? standing(sampled.data) : null;
    if (stood !== null && !stood.some((thread) => thread.tid === pid)) {
      return { verdict: 'clear', why: `it was in state ${letter} at first, and ran again during the window` };
    }
    const how =
      sampled.seen && stood !== null
        ? `It was in state ${letter} when it was identified, and ${stood.length === sampled.data.threads.length ? allOf(stood.length) : `${stood.length} of its ${sampled.data.threads.length} threads`} stood for the whole window that followed.`
        : `It was in state ${letter} when it was identified.`;
    const terminal = terminalOf(sampled.seen ? sampled.data : null);
    const tracer = who.data.tracer;
    const found =
      tracer !== null && letter === 't'
        ? tracedFinding(pid, letter, tracer, how)
        : stoppedFinding(who.data, pid, letter, how, terminal);
    const confidence = stood === null ? 0.9 : 0.98;
    return { verdict: 'fires', findings: [{ confidence, evidence: quotesOf(look, who, sampled), ...found }] };
  },
});
