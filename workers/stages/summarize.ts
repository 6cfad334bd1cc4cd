import {
  type Evidence,
  type EvidenceEntry,
  formatImpacts,
  type Look,
  type Observation,
  type Playbook,
  type Probe,
  type Report,
  type ReportTarget,
  type Request,
  type UnseenReason,
} from '../../playbooks/model/index.ts';
import { gcore } from '../../playbooks/probes/gcore.ts';
import type { IdentifyData } from '../../playbooks/probes/identify.ts';
import { nativeMotion } from '../../playbooks/probes/native-motion.ts';
import { pyBt } from '../../playbooks/probes/py-bt.ts';
import { pyStacks } from '../../playbooks/probes/py-stacks.ts';
import { sockets } from '../../playbooks/probes/sockets.ts';
import { shortId } from '../../playbooks/reading/container-keeper.ts';
import { figuresOf } from '../../playbooks/reading/figures.ts';
import { memoryLine } from '../../playbooks/reading/memory.ts';
import { shownOutput } from '../../playbooks/reading/shown-output.ts';
import { containerOf, unitsOf } from '../finding/list.names.ts';
import { programUnit } from '../finding/successor.ts';
import type { Followed } from '../follow.ts';
import type { Judgement } from './judge.ts';

/** All that a report is made of. */
export interface Outcome {
  readonly request: Request;
  readonly playbook: Playbook;
  readonly process: IdentifyData;
  readonly look: Look;
  readonly probes: ReadonlyMap<string, Probe>;
  readonly evidence: readonly Evidence[];
  readonly observations: ReadonlyMap<string, Observation<unknown>>;
  readonly judgement: Judgement;
  /** Looks at the processes that findings point at. */
  readonly followed: readonly Followed[];
  /** Caveats that arose on the way (the process ended, an earlier run was interrupted). */
  readonly caveats: readonly string[];
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly endedAt: number;
}

const WORTH_SAYING: ReadonlySet<UnseenReason> = new Set([
  'not-allowed',
  'missing-tool',
  'no-permission',
  'timed-out',
  'failed',
  'not-parsable',
  'target-gone',
  'connection-lost',
  'interrupted',
]);

const entry = (evidence: Evidence, pid?: number): EvidenceEntry => ({
  id: evidence.id,
  probe: evidence.probe,
  ...(pid === undefined ? {} : { pid }),
  command: evidence.command,
  exit: evidence.exit,
  seconds: round(evidence.seconds),
  bytes: evidence.stdout.length,
  truncated: evidence.dropped > 0,
});

const round = (seconds: number): number => Math.round(seconds * 1000) / 1000;

/**
 * How long a step kept the target from running, in ms: what the step itself measured, else, for one that stops the
 * process, the whole step, which is an upper bound.
 */
const stallOf = (evidence: Evidence, probe: Probe | undefined, look: Look): number => {
  if (probe?.impacts.includes('stops') !== true) return 0;
  for (const known of [pyBt, gcore]) {
    if (known.id !== probe.id) continue;
    const seen = look.see<{ stoppedMs: number | null }>(known);
    if (seen.seen && seen.data.stoppedMs !== null) return seen.data.stoppedMs;
  }
  if (probe.id === nativeMotion.id) {
    const seen = look.see(nativeMotion);
    if (seen.seen) return seen.data.longestStopMs;
  }
  return evidence.seconds * 1000;
};

/** The interpreter's own word for its version where its memory was read, else what its files are called. */
const runtimeOf = (process: IdentifyData, look: Look): string => {
  const { runtime } = process;
  const stacks = look.see(pyStacks);
  const version = stacks.seen
    ? stacks.data.version
    : (runtime.version ?? /(\d\.\d+)\D*$/.exec(runtime.library ?? '')?.[1]);
  if (runtime.kind === 'python') return version === undefined ? 'CPython' : `CPython ${version}`;
  return process.exe?.path.split('/').at(-1) ?? process.comm;
};

/** The container that its control group names; where it has none of its own, the one that is kept by a process above it. */
const containerIdOf = ({ cgroup, kept }: IdentifyData): string | null =>
  containerOf(cgroup?.path ?? '') ?? kept?.container ?? null;

/** Where it belongs and what it listens on: by these its successor is found after a restart. */
const placeOf = (process: IdentifyData, look: Look): Partial<ReportTarget> => {
  const { pidInside } = process;
  const unit = programUnit(unitsOf(process.cgroup?.path ?? ''));
  const container = containerIdOf(process);
  const seen = look.see(sockets);
  const listening = seen.seen
    ? seen.data.sockets.filter(({ kind, state }) => kind === 'tcp' && state === 'LISTEN')
    : [];
  const ports = listening.map(({ local }) => Number(/:(\d{1,5})$/.exec(local)?.[1] ?? 0)).filter((port) => port > 0);
  return {
    ...(unit === null ? {} : { unit }),
    ...(container === null ? {} : { container }),
    ...(pidInside === undefined ? {} : { pidInside }),
    ...(seen.seen ? { ports: [...new Set(ports)].sort((a, b) => a - b) } : {}),
  };
};

/** Facts about the process that a reader has to keep in mind (see the list in the causes' page). */
const standingCaveats = (process: IdentifyData, pid: number): string[] => {
  const caveats: string[] = [];
  if (process.exe?.deleted === true) {
    caveats.push(
      'The executable was replaced or deleted on disk since the process started; files on disk may differ from the code that runs.',
    );
  }
  if (process.container && process.pidInside === undefined) {
    caveats.push('The process runs in a container or chroot; its paths are as seen from inside.');
  }
  if (process.pidInside !== undefined) {
    const id = containerIdOf(process);
    const name = process.kept?.container === id ? process.kept?.name : null;
    const where =
      id === null ? 'its pid namespace' : `container ${shortId(id)}${typeof name === 'string' ? ` (${name})` : ''}`;
    caveats.push(`Process ${pid} is ${process.pidInside} inside ${where}; its paths are as seen from inside.`);
  }
  if (process.tracer !== null) {
    caveats.push(
      `The process is being traced by pid ${process.tracer.pid}${process.tracer.command === null ? '' : ` (${process.tracer.command})`}.`,
    );
  }
  return caveats;
};

const newerSource = ({ findings }: Judgement): string[] => {
  const files = new Set(
    findings.flatMap((finding) => finding.source ?? []).flatMap(({ newer, file }) => (newer ? [file] : [])),
  );
  return [...files].map(
    (file) => `${file} was written after the process started: the lines shown may not be what runs.`,
  );
};

/** Puts the report together, without a model. Findings, quotes and reasons are the judge's; nothing is added to them. */
export const summarize = (outcome: Outcome): Report => {
  const { request, playbook, process, look, probes, evidence, observations, judgement, followed } = outcome;
  const sentence = (text: string): string => asSentence(text, probes);
  // What there is to say of the tool that was asked for stands where its output stands.
  const beside = [...observations].flatMap(([probe, each]) => (probe === playbook.shows ? [] : [each]));
  const unseen = beside.flatMap((each) => (!each.seen && WORTH_SAYING.has(each.reason) ? [sentence(each.why)] : []));
  const partly = beside.flatMap((each) => (each.seen ? each.partly.map(sentence) : []));
  const memory = memoryLine(look);
  return {
    id: request.id,
    target: {
      host: look.target.host,
      pid: look.target.pid,
      startTime: look.target.startTime,
      command: process.command,
      runtime: runtimeOf(process, look),
      ...placeOf(process, look),
      ...(request.selector === undefined ? {} : { selector: request.selector }),
    },
    playbook: playbook.id,
    startedAt: new Date(outcome.startedAt).toISOString(),
    seconds: round((outcome.endedAt - outcome.startedAt) / 1000),
    findings: [...judgement.findings],
    ruledOut: [...judgement.ruledOut],
    cannotTell: [...judgement.cannotTell],
    caveats: [
      ...new Set([
        ...outcome.caveats,
        ...standingCaveats(process, look.target.pid),
        ...newerSource(judgement),
        ...unseen,
        ...partly,
      ]),
    ],
    impact: {
      longestStallMs: Math.round(Math.max(0, ...evidence.map((each) => stallOf(each, probes.get(each.probe), look)))),
      steps: evidence.map((each) => ({
        probe: each.probe,
        impact: formatImpacts(probes.get(each.probe)?.impacts ?? ['none']),
        seconds: round(each.seconds),
      })),
    },
    evidence: [
      ...evidence.map((each) => entry(each)),
      ...followed.flatMap(({ report, evidence: theirs }) => theirs.map((each) => entry(each, report.pid))),
    ],
    ...(memory === null ? {} : { memory }),
    figures: figuresOf(look),
    ...(playbook.shows === undefined ? {} : { shown: shownOutput(playbook.shows, probes, evidence, observations) }),
    ...(followed.length === 0 ? {} : { related: followed.map(({ report }) => report) }),
  };
};

/** With a capital and a full stop; a probe's id at the beginning stays as it is written. */
const asSentence = (text: string, probes: ReadonlyMap<string, Probe>): string => {
  const trimmed = text.trim();
  const first = probes.has(trimmed.split(/[ :]/)[0] ?? '') ? trimmed.charAt(0) : trimmed.charAt(0).toUpperCase();
  return `${first}${trimmed.slice(1)}${/[.!?]$/.test(trimmed) ? '' : '.'}`;
};
