import type { Counts } from '../infra/metrics/counts.ts';
import type { SiteRules } from '../infra/redact/redactor.ts';
import type { Trace } from '../infra/tracing/trace.ts';
import type { Cause, Impact, Playbook, Probe, Progress, Report, Request } from '../playbooks/model/index.ts';
import { LookFailed } from '../playbooks/model/index.ts';
import { checkApproval } from './approval.ts';
import type { StepAudit } from './audit.ts';
import { half, halfCaveat, nothingFound, openUnlessAborted, whyAborted, worthReporting } from './cancelled.ts';
import { toldOfEnd } from './ending/tell.ts';
import { firstSteps } from './first-steps.ts';
import { type Followed, follow, whomToFollow } from './follow.ts';
import { beginLook } from './look.ts';
import type { FirstStepsOf, HostShell } from './ssh/shell.ts';
import { evidenceIds } from './stages/collect.ts';
import type { Judgement } from './stages/judge.ts';
import { type RedactedEvidence, redactEvidence, redactorFor, redactReport } from './stages/redact.ts';
import { summarize } from './stages/summarize.ts';
import { connectionLost } from './words.ts';

/** What a look needs from its surroundings. */
export interface Tools {
  readonly probes: ReadonlyMap<string, Probe>;
  readonly causes: ReadonlyMap<string, Cause>;
  readonly playbooks: ReadonlyMap<string, Playbook>;
  /** Opens the one shell of this look, with its first steps if it can; throws LookFailed with a sentence for a person. */
  readonly openShell: (host: string, first?: FirstStepsOf) => Promise<HostShell>;
  /** Folder on that host for files that outlive the look. */
  readonly keepFolder: (host: string) => string;
  readonly progress: (progress: Progress) => void;
  /** Steps with an impact are written down before they start, so that a redelivery does not run them again. */
  readonly journal: {
    readonly started: (probe: string, impacts: readonly Impact[]) => Promise<void>;
    readonly earlier: () => Promise<readonly string[]>;
  };
  /** Where steps with an impact are written down for people, before they start and after. Absent: nowhere. */
  readonly audit?: StepAudit;
  /** Where steps show in traces, and how long phases took; nowhere when absent. */
  readonly trace?: Trace;
  readonly counts?: Pick<Counts, 'phase'>;
  /** The site's own rules of what is secret. */
  readonly redaction?: SiteRules;
  /** Ends the look early. With a LookFailed `cancelled` as its reason, what was learnt so far is still told. */
  readonly signal: AbortSignal;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** What leaves the worker: a report and the evidence it rests on, both without secrets. */
export interface Investigation {
  readonly report: Report;
  readonly files: readonly RedactedEvidence[];
}

/** Phases 1 and 2 cost the process nothing, so once it is identified their steps share one window; the others follow. */
const ROUNDS = [[1, 2], [3], [4], [5], [6]] as const;

/**
 * One look at one process: plan, collect, observe, judge, phase by phase, until the evidence is conclusive; then the
 * source of the places that were found, a harmless look at the processes that findings point at, redact and summarize. Throws LookFailed when there is nothing to report.
 */
export const investigate = async (request: Request, tools: Tools): Promise<Investigation> => {
  const playbook = tools.playbooks.get(request.playbook);
  if (playbook === undefined) {
    throw new LookFailed(
      'unknown-playbook',
      `There is no playbook called ${request.playbook}; there are ${[...tools.playbooks.keys()].join(', ')}.`,
    );
  }
  const startedAt = tools.now();
  checkApproval(request, startedAt);
  const startedBefore = new Set(await tools.journal.earlier());
  const shell = await openUnlessAborted(tools.signal, () =>
    tools.openShell(request.host, (facts) => firstSteps(request, playbook, tools, facts)),
  );
  let abortedAt = startedAt;
  const cancel = () => {
    abortedAt = tools.now();
    // Whatever runs on the host ends with the shell.
    void shell.close();
  };
  tools.signal.addEventListener('abort', cancel, { once: true });
  if (tools.signal.aborted) cancel();
  const ids = evidenceIds();
  const look = beginLook(request, playbook, tools, shell, startedAt, startedBefore, ids);
  const finish = async (judgement: Judgement, followed: readonly Followed[]): Promise<Investigation> => {
    const report = summarize({ ...look.outcome(), judgement, followed, startedAt, endedAt: tools.now() });
    const evidence = [...look.outcome().evidence, ...followed.flatMap((each) => each.evidence)];
    const redact = await redactorFor(evidence, tools.redaction);
    return { report: redactReport(report, redact), files: redactEvidence(evidence, redact) };
  };
  try {
    let judgement = await look.identify().catch(async (error: unknown) => {
      throw tools.signal.aborted ? error : await toldOfEnd(error, request, shell);
    });
    for (const phases of ROUNDS) {
      await look.run(phases, judgement.wanted);
      if (tools.signal.aborted) throw whyAborted(tools.signal);
      judgement = look.judge();
      const lost = look.lostIn();
      if (lost === null) continue;
      if (judgement.findings.length === 0) throw new LookFailed('connection-lost', connectionLost(request.host, lost));
      break;
    }
    const related = whomToFollow(judgement.findings, request.pid);
    let asked = () => {};
    const sourceAsked = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const [sourced, followed] = await Promise.all([
      look.withSource(judgement, asked).finally(asked),
      follow(related, request, tools, shell, ids),
      // Lines of source, the last check and the clearing up are one answer: nobody waits for a second one after it.
      related.length === 0 ? sourceAsked.then(look.lastCheck) : undefined,
    ]);
    if (related.length > 0) await look.lastCheck();
    if (tools.signal.aborted) throw whyAborted(tools.signal);
    return await finish(sourced, followed);
  } catch (error) {
    if (!tools.signal.aborted) throw error;
    return await whatWasLearnt(request, look, whyAborted(tools.signal), (abortedAt - startedAt) / 1000, finish);
  } finally {
    tools.signal.removeEventListener('abort', cancel);
    await shell.close();
  }
};

/** The report of a look that somebody cancelled, if it found anything. Throws LookFailed when not, or when it was ended otherwise. */
const whatWasLearnt = async (
  request: Request,
  look: ReturnType<typeof beginLook>,
  why: LookFailed,
  seconds: number,
  finish: (judgement: Judgement, followed: readonly Followed[]) => Promise<Investigation>,
): Promise<Investigation> => {
  if (why.code !== 'cancelled') throw why;
  const process = look.who();
  if (process === null) throw nothingFound(why, seconds, request, null, null, []);
  look.keepInMind(halfCaveat(why, seconds, look.ended()));
  const investigation = await finish(half(look.judge()), []);
  if (worthReporting(investigation.report)) return investigation;
  throw nothingFound(why, seconds, request, process, investigation.report, look.ended());
};
