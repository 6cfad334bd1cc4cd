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
import { readNativeName } from './py-bt.parse.ts';

export const GcoreData = z.object({
  path: z.string(),
  bytes: z.number(),
  sha256: z.string().nullable(),
  /** When the core will be removed, ISO 8601. */
  removeAfter: z.string(),
  stoppedMs: z.number().nullable(),
  /** What gdb reads from the core: thread ids and their innermost C frames. */
  threads: z.array(
    z.object({
      tid: z.number().int(),
      frames: z.array(z.object({ function: z.string(), at: LineNumber })),
      at: LineNumber,
    }),
  ),
  /** Whether the executable that gdb used has the same build id as the process. */
  symbolsMatch: z.boolean().nullable(),
  at: LineNumber,
});
export type GcoreData = z.infer<typeof GcoreData>;

const readThreads = (lines: readonly string[]): GcoreData['threads'] => {
  const threads: GcoreData['threads'] = [];
  lines.forEach((line, index) => {
    const at = index + 1;
    const tid = /^TID (\d{1,10}):$/.exec(line)?.[1];
    if (tid !== undefined) threads.push({ tid: Number(tid), frames: [], at });
    const name = readNativeName(line);
    if (name !== null) threads.at(-1)?.frames.push({ function: name, at });
  });
  return threads;
};

/** Why there is no core; every way out of gcore.sh before the core says so. */
const cannot = (lines: readonly string[], messages: string, pid: number): Extract<Parsed<GcoreData>, { ok: false }> => {
  const all = `${lines.join('\n')}\n${messages}`;
  const found = (pattern: RegExp): string | undefined => pattern.exec(all)?.[1];
  const tracer = found(/^== refused: already traced by process (\d{1,10})$/m);
  if (tracer !== undefined) {
    const why = `process ${pid} is already traced by process ${tracer}, and only one can trace it`;
    return { ok: false, reason: 'failed', why };
  }
  const refused = found(/^== refused: (.{1,300})$/m);
  if (refused !== undefined) return { ok: false, reason: 'failed', why: `no core was taken: ${refused}` };
  if (lines.includes('== missing: gdb')) {
    return { ok: false, reason: 'missing-tool', why: 'gdb is not installed on the host' };
  }
  if (/^== gone: /m.test(all)) {
    return { ok: false, reason: 'target-gone', why: `process ${pid} had ended before a core could be taken` };
  }
  if (/^== denied: |Operation not permitted/m.test(all)) {
    const why = `a core of process ${pid} needs root, or its own user where ptrace_scope allows it`;
    return { ok: false, reason: 'no-permission', why };
  }
  if (/^== out of time: /m.test(all)) {
    const why =
      'no core was taken: it took longer than the process may be stopped, and the unfinished file was removed';
    return { ok: false, reason: 'timed-out', why };
  }
  if (/^== out of room: |No space left on device/m.test(all)) {
    const why =
      'no core was taken: the disk was nearly full before it was complete, and the unfinished file was removed';
    return { ok: false, reason: 'failed', why };
  }
  if (/^== /m.test(all)) return { ok: false, reason: 'failed', why: 'gdb wrote no core' };
  return { ok: false, reason: 'not-parsable', why: 'what gdb wrote could not be read' };
};

/** Milliseconds between the two readings of /proc/uptime around the stop, to 10 ms. */
const stopOf = (text: string): number | null => {
  const at = (which: string): number =>
    Number(new RegExp(`^== stop ${which} at (\\d{1,12}\\.\\d\\d)`, 'm').exec(text)?.[1]);
  const milliseconds = Math.round((at('ends') - at('begins')) * 1000);
  return Number.isFinite(milliseconds) && milliseconds >= 0 ? milliseconds : null;
};

const CORE = /^== core: (\d{1,16}) bytes, sha256 ([0-9a-f]{64}|-), keep until (\d{1,11}): (\/.*)$/;

const parse = (evidence: Evidence, step: StepContext): Parsed<GcoreData> => {
  const lines = evidenceLines(evidence);
  const index = lines.findIndex((line) => CORE.test(line));
  const [, bytes, sum, until, path] = CORE.exec(lines[index] ?? '') ?? [];
  if (bytes === undefined || until === undefined || path === undefined) {
    return cannot(lines, evidenceErrorText(evidence), step.target.pid);
  }
  const text = lines.join('\n');
  const [, ran, used] = /^== build ids: process ([0-9a-f]{4,80}|-), executable ([0-9a-f]{4,80}|-)$/m.exec(text) ?? [];
  const symbolsMatch = ran === undefined || used === undefined || ran === '-' || used === '-' ? null : ran === used;
  const partly: string[] = [];
  if (symbolsMatch === false) {
    partly.push('the executable on disk is not the one that the process ran: function names may be wrong');
  }
  const left = /^== left out: shared memory, (\d{1,15}) KiB/m.exec(text)?.[1];
  if (left !== undefined)
    partly.push('shared memory is not in the core: reading it would have made the process own all of it');
  const unread = /^== unreadable core: (.{0,200})/m.exec(text)?.[1];
  if (unread !== undefined) partly.push(`gdb could not read the core${unread && `: ${unread}`}`);
  else if (!lines.includes('== core read')) partly.push('gdb did not finish reading the core');
  return {
    ok: true,
    data: {
      path,
      bytes: Number(bytes),
      sha256: sum === undefined || sum === '-' ? null : sum,
      removeAfter: new Date(Number(until) * 1000).toISOString(),
      stoppedMs: stopOf(text),
      threads: readThreads(lines.slice(index)).map((thread) => ({
        ...thread,
        at: thread.at + index,
        frames: thread.frames.map((frame) => ({ ...frame, at: frame.at + index })),
      })),
      symbolsMatch,
      at: index + 1,
    },
    partly,
  };
};

const GIB_IN_KIB = 1024 * 1024;

/**
 * The longest that the process may be stopped: 30 s and 8 s for each GiB. Counted are its resident memory and 64 MiB for each
 * thread, which glibc reserves (malloc/arena.c) and gdb writes although they are untouched. Without knowledge of
 * the process, 2 minutes.
 */
const longestStop = (step: StepContext): number =>
  step.known === null ? 120 : Math.ceil(30 + 8 * (step.known.rssKib / GIB_IN_KIB + step.known.threads / 16));

/**
 * A core of the process in `cores` below the host's folder for kept files, which never leaves the host, and the C stacks in
 * it (gdb(1), core(5)). Measured: 1.6 s of stop for 22 threads with little memory, most of it for the arenas that they
 * had not touched; about 1.2 to 8 s for each GiB otherwise. Reading shared memory that the process never touched makes the
 * process own it (200 MB of it were seen to appear), so it is then left out. Cores older than `hours` are removed by the
 * next run.
 */
export const gcore = defineProbe<GcoreData>({
  id: 'gcore',
  title: 'A core of the process',
  phase: 5,
  impacts: ['stops', 'writes-disk'],
  ptraces: true,
  needs: { anyOf: [['gdb']], privilege: 'ptrace' },
  limits: { seconds: (step) => longestStop(step) + 120, bytes: 2 * 1024 * 1024, endWith: 'KILL' },
  options: z.strictObject({
    /** How long cores are kept. */
    hours: z.number().int().min(1).max(720).optional(),
  }),
  data: GcoreData,
  command: (step) => {
    const hours = typeof step.options.hours === 'number' ? step.options.hours : 24;
    return {
      argv: [
        'sh',
        '{script:gcore.sh}',
        String(step.target.pid),
        step.target.startTime,
        step.keepFolder,
        String(hours),
        String(longestStop(step)),
        '{script:ptrace-guard.sh}',
        '{script:gcore.gdb.py}',
      ],
      scripts: ['gcore.sh', 'ptrace-guard.sh', 'gcore.gdb.py'],
    };
  },
  parse,
});
