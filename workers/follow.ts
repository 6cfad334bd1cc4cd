import type { Evidence, Finding, Playbook, RelatedReport, Request } from '../playbooks/model/index.ts';
import { LookFailed } from '../playbooks/model/index.ts';
import type { Tools } from './investigate.ts';
import { beginLook } from './look.ts';
import type { HostShell } from './ssh/shell.ts';
import type { NextEvidenceId } from './stages/collect.ts';

/** The playbook that looks at a process without doing anything to it. */
export const GLANCE = 'glance';

const HEADLINE = 0.5;
const MOST_FOLLOWED = 3;

/** What a look at a related process brought. */
export interface Followed {
  readonly report: RelatedReport;
  readonly evidence: readonly Evidence[];
}

/** The processes that findings of 0.5 and more point at, first named first, at most three; never the target itself. */
export const whomToFollow = (findings: readonly Finding[], target: number): { pid: number; why: string }[] => {
  const named = findings
    .filter((finding) => finding.confidence >= HEADLINE)
    .flatMap((finding) => finding.related ?? []);
  return named
    .filter(({ pid }, index) => pid !== target && named.findIndex((other) => other.pid === pid) === index)
    .slice(0, MOST_FOLLOWED);
};

/**
 * Looks at the processes that findings point at, side by side over the same shell, with probes of impact `none` only.
 * What goes wrong there is said in its place; it never fails the look that led to it.
 */
export const follow = async (
  related: readonly { readonly pid: number; readonly why: string }[],
  request: Request,
  tools: Tools,
  shell: HostShell,
  ids: NextEvidenceId,
): Promise<Followed[]> => {
  const playbook = tools.playbooks.get(GLANCE);
  if (playbook === undefined) return [];
  return Promise.all(related.map((one) => followOne(one, playbook, request, tools, shell, ids)));
};

const followOne = async (
  { pid, why }: { readonly pid: number; readonly why: string },
  playbook: Playbook,
  request: Request,
  tools: Tools,
  shell: HostShell,
  ids: NextEvidenceId,
): Promise<Followed> => {
  // Whoever asked did not ask for this process: it may be younger than the question.
  const own: Request = {
    ...request,
    pid,
    startTime: undefined,
    selector: undefined,
    was: undefined,
    playbook: GLANCE,
    allow: ['none'],
    requestedAt: Number.MAX_SAFE_INTEGER,
    options: undefined,
    approval: undefined,
  };
  const quiet: Tools = { ...tools, progress: () => {} };
  const look = beginLook(
    { ...own, windowSeconds: playbook.windowSeconds },
    playbook,
    quiet,
    shell,
    tools.now(),
    new Set(),
    ids,
  );
  try {
    const identified = await look.identify();
    await look.run([1, 2], identified.wanted);
    const { findings } = look.judge();
    const { process, evidence } = look.outcome();
    return { report: { pid, why, command: process.command, findings: [...findings], failure: null }, evidence };
  } catch (error) {
    const failure =
      error instanceof LookFailed
        ? error.message
        : `Process ${pid} could not be looked at through an error of our own.`;
    return { report: { pid, why, command: null, findings: [], failure }, evidence: [] };
  }
};
