import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { Cause } from '../../playbooks/model/index.ts';
import {
  Evidence,
  type FindingDraft,
  type KnownHost,
  type Look,
  type Observation,
  type Probe,
  type StepContext,
  StepEnd,
  type Verdict,
} from '../../playbooks/model/index.ts';
import { identify } from '../../playbooks/probes/identify.ts';
import { type Judgement, judge, lookAt } from '../../workers/stages/judge.ts';
import { observe } from '../../workers/stages/observe.ts';
import { runProbe } from './run-probe.ts';

/**
 * Looks that were taken at real processes, kept as the bytes that the probes wrote, so that causes are tested on them.
 * `tests/fixtures/looks/KIND/NAME/look.json` says what it was; beside it lie the bytes, one file a stream of a step.
 *
 * To record one: node --import ./tests/support/typescript-loader.mjs tests/support/record-look.ts \
 *   PID KIND/NAME 'what the process is and does' [--window S] [--probes a,b,c]
 */
export const LOOKS = fileURLToPath(new URL('../fixtures/looks/', import.meta.url));

const RecordedStep = z.strictObject({
  probe: z.string(),
  command: z.string(),
  end: StepEnd,
  exit: z.number().int().nullable(),
  seconds: z.number(),
  stderr: z.boolean(),
});

export const RecordedLook = z.strictObject({
  /** What the process is and does, and under which versions it was recorded. */
  how: z.string().min(20),
  pid: z.number().int(),
  startTime: z.string(),
  windowSeconds: z.number(),
  /** When it was recorded, milliseconds since 1970: kernel events are dated. */
  startedAt: z.number(),
  steps: z.array(RecordedStep).min(1),
});
export type RecordedLook = z.infer<typeof RecordedLook>;

/** A look with its evidence, recorded or taken just now. */
export interface TakenLook {
  readonly recorded: RecordedLook;
  readonly evidence: readonly Evidence[];
}

/** The probes that a look without need for anything later runs. */
export const HARMLESS = [
  'identify',
  'kernel-log',
  'locks',
  'sockets',
  'resolver',
  'cpu-limits',
  'sample',
  'fds',
  'mounts',
  'children',
  'socket-rates',
  'memory',
  'py-stacks',
];

const knownFrom = (evidence: Evidence | undefined, step: StepContext): KnownHost | null => {
  const parsed = evidence === undefined ? null : identify.parse(evidence, step);
  if (parsed === null || !parsed.ok) return null;
  const { host, runtime, threads, memory } = parsed.data;
  return {
    python: host.python,
    tools: host.tools,
    runtime,
    threads,
    rssKib: memory.rssKib,
    root: host.uid === 0,
  };
};

/** Looks at a live process now, phase by phase as the pipeline does. */
export const takeLook = async (
  pid: number,
  probes: readonly Probe[],
  windowSeconds: number,
  how: string,
): Promise<TakenLook> => {
  const evidence: Evidence[] = [];
  const startedAt = Date.now();
  let startTime = '0';
  for (const phase of [1, 2, 3, 4] as const) {
    const now = probes.filter((probe) => probe.phase === phase);
    const runs = await Promise.all(now.map((probe) => runProbe(probe, { pid, windowSeconds })));
    for (const run of runs) {
      startTime = run.step.target.startTime;
      evidence.push({ ...run.evidence, id: `E${evidence.length + 1}` });
    }
  }
  const steps = evidence.map((each) => ({
    probe: each.probe,
    command: each.command,
    end: each.end,
    exit: each.exit,
    seconds: each.seconds,
    stderr: each.stderr.length > 0,
  }));
  return { recorded: RecordedLook.parse({ how, pid, startTime, windowSeconds, startedAt, steps }), evidence };
};

/** Writes a look into `tests/fixtures/looks/NAME`. */
export const saveLook = (name: string, { recorded, evidence }: TakenLook): void => {
  const folder = join(LOOKS, name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'look.json'), `${JSON.stringify(recorded, null, 2)}\n`);
  for (const each of evidence) {
    writeFileSync(join(folder, `${each.probe}.out`), each.stdout);
    if (each.stderr.length > 0) writeFileSync(join(folder, `${each.probe}.err`), each.stderr);
  }
};

/** Reads a look from `tests/fixtures/looks/NAME`. Throws when it is incomplete. */
export const loadLook = (name: string): TakenLook => {
  const folder = join(LOOKS, name);
  const recorded = RecordedLook.parse(JSON.parse(readFileSync(join(folder, 'look.json'), 'utf8')));
  const evidence = recorded.steps.map((step, index) =>
    Evidence.parse({
      id: `E${index + 1}`,
      probe: step.probe,
      command: step.command,
      end: step.end,
      exit: step.exit,
      startedAt: recorded.startedAt,
      seconds: step.seconds,
      stdout: new Uint8Array(readFileSync(join(folder, `${step.probe}.out`))),
      stderr: step.stderr ? new Uint8Array(readFileSync(join(folder, `${step.probe}.err`))) : new Uint8Array(),
      dropped: 0,
    }),
  );
  return { recorded, evidence };
};

/** Names of the recorded looks of a kind: `healthy`, or a cause's id. */
export const lookNames = (kind: string): string[] =>
  readdirSync(join(LOOKS, kind))
    .sort()
    .map((name) => `${kind}/${name}`);

const seenIn = (look: TakenLook, probes: ReadonlyMap<string, Probe>) => {
  const { recorded, evidence } = look;
  const target = { host: 'local', pid: recorded.pid, startTime: recorded.startTime };
  const base: StepContext = {
    target,
    windowSeconds: recorded.windowSeconds,
    known: null,
    options: {},
    keepFolder: '/tmp',
  };
  const known = knownFrom(
    evidence.find((each) => each.probe === 'identify'),
    base,
  );
  const observations = new Map<string, Observation<unknown>>();
  for (const each of evidence) {
    const probe = probes.get(each.probe);
    if (probe === undefined) throw new Error(`there is no probe ${each.probe}`);
    const step = { ...base, known, options: probe.options.parse({}) };
    observations.set(probe.id, observe({ probe, options: step.options, always: true }, each, step));
  }
  return { target, evidence, observations };
};

/** What causes see of a recorded look; `without` leaves probes out, as if they had not run. */
export const lookFrom = (
  look: TakenLook,
  probes: ReadonlyMap<string, Probe>,
  without: readonly string[] = [],
): Look => {
  const seen = seenIn(look, probes);
  for (const id of without) seen.observations.delete(id);
  return lookAt(seen);
};

/** One cause's verdict on a recorded look. */
export const verdictOn = (
  cause: Cause,
  look: TakenLook,
  probes: ReadonlyMap<string, Probe>,
  without: readonly string[] = [],
): Verdict => cause.judge(lookFrom(look, probes, without));

/** All causes' judgement of a recorded look. */
export const judgementOn = (
  look: TakenLook,
  probes: ReadonlyMap<string, Probe>,
  causes: ReadonlyMap<string, Cause>,
): Judgement => judge(seenIn(look, probes), causes, new Set(probes.keys()));

/** The same look with the text of one probe's output changed: what would be said if that had been seen instead. */
export const changedLook = (look: TakenLook, probe: string, change: (text: string) => string): TakenLook => ({
  ...look,
  evidence: look.evidence.map((each) => {
    if (each.probe !== probe) return each;
    const before = Buffer.from(each.stdout).toString('latin1');
    const after = change(before);
    if (after === before) throw new Error(`the change to ${probe} changed nothing`);
    return { ...each, stdout: new Uint8Array(Buffer.from(after, 'latin1')) };
  }),
});

/** The first finding of a verdict; throws when the cause did not fire. */
export const firstFinding = (verdict: Verdict): FindingDraft => {
  if (verdict.verdict !== 'fires') throw new Error(`it did not fire: ${verdict.verdict}, ${verdict.why}`);
  const [finding] = verdict.findings;
  if (finding === undefined) throw new Error('it fired without a finding');
  return finding;
};

const option = (words: readonly string[], name: string): string | undefined => {
  const at = words.indexOf(name);
  return at < 0 ? undefined : words[at + 1];
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { loadProbes } = await import('../../playbooks/registry.ts');
  const [pid, name, how = ''] = process.argv.slice(2);
  if (pid === undefined || name === undefined) throw new Error('usage: record-look.ts PID KIND/NAME HOW');
  const all = await loadProbes();
  const ids = option(process.argv, '--probes')?.split(',') ?? HARMLESS;
  const chosen = ids.flatMap((id) => all.get(id) ?? []);
  saveLook(name, await takeLook(Number(pid), chosen, Number(option(process.argv, '--window') ?? 3), how));
}
