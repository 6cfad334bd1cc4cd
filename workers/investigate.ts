import type { Cause, Impact, Playbook, Probe, Progress, Report, Request } from '../playbooks/model/index.ts';
import { LookFailed } from '../playbooks/model/index.ts';
import { checkApproval } from './approval.ts';
import { follow, whomToFollow } from './follow.ts';
import { beginLook } from './look.ts';
import type { HostShell } from './ssh/shell.ts';
import { evidenceIds } from './stages/collect.ts';
import { type RedactedEvidence, redactEvidence, redactor, redactReport } from './stages/redact.ts';
import { summarize } from './stages/summarize.ts';
import { connectionLost } from './words.ts';

/** What a look needs from its surroundings. */
export interface Tools {
  readonly probes: ReadonlyMap<string, Probe>;
  readonly causes: ReadonlyMap<string, Cause>;
  readonly playbooks: ReadonlyMap<string, Playbook>;
  /** Opens the one shell of this look; throws LookFailed with a sentence for a person. */
  readonly openShell: (host: string) => Promise<HostShell>;
  /** Folder on that host for files that outlive the look. */
  readonly keepFolder: (host: string) => string;
  readonly progress: (progress: Progress) => void;
  /** Steps with an impact are written down before they start, so that a redelivery does not run them again. */
  readonly journal: {
    readonly started: (probe: string, impacts: readonly Impact[]) => Promise<void>;
    readonly earlier: () => Promise<readonly string[]>;
  };
  /** Ends the look early; what was learnt so far is lost. */
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
const ROUNDS = [[1, 2], [3], [4], [5]] as const;

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
  const shell = await tools.openShell(request.host);
  const cancel = () => void shell.close();
  tools.signal.addEventListener('abort', cancel, { once: true });
  try {
    const ids = evidenceIds();
    const look = beginLook(request, playbook, tools, shell, startedAt, startedBefore, ids);
    let judgement = await look.identify();
    for (const phases of ROUNDS) {
      await look.run(phases, judgement.wanted);
      if (tools.signal.aborted) throw whyAborted(tools.signal);
      judgement = look.judge();
      const lost = look.lostIn();
      if (lost === null) continue;
      if (judgement.findings.length === 0) throw new LookFailed('connection-lost', connectionLost(request.host, lost));
      break;
    }
    const [sourced, followed] = await Promise.all([
      look.withSource(judgement),
      follow(whomToFollow(judgement.findings, request.pid), request, tools, shell, ids),
    ]);
    await look.lastCheck();
    const redact = redactor();
    const report = summarize({ ...look.outcome(), judgement: sourced, followed, startedAt, endedAt: tools.now() });
    const evidence = [...look.outcome().evidence, ...followed.flatMap((each) => each.evidence)];
    return { report: redactReport(report, redact), files: redactEvidence(evidence, redact) };
  } finally {
    tools.signal.removeEventListener('abort', cancel);
    await shell.close();
  }
};

const whyAborted = ({ reason }: AbortSignal): LookFailed =>
  reason instanceof LookFailed ? reason : new LookFailed('cancelled', 'The look was cancelled.');
