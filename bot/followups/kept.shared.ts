import type { Answer } from '../../infra/queue/messages.ts';
import type { Evidence, Look, Observation, Parsed, Probe } from '../../playbooks/model/index.ts';
import type { BotContext } from '../context.ts';

/**
 * What a probe saw in a look, read once more from the evidence that is kept of it; null when that has expired, was not
 * taken, or cannot be read. The evidence is as it left the worker: secrets in it are placeholders. Throws QueueUnavailable.
 */
export const keptObservation = async <Data>(
  { request, outcome, files }: Answer,
  probe: Probe<Data>,
  { queue }: Pick<BotContext, 'queue'>,
): Promise<{ readonly data: Data; readonly evidenceId: string; readonly text: string } | null> => {
  if (outcome.kind !== 'report') return null;
  const { target, evidence } = outcome.report;
  const entry = evidence.findLast((each) => each.probe === probe.id && each.pid === undefined);
  const file = files.find((each) => each.evidenceId === entry?.id);
  if (entry === undefined || file === undefined || file.bytes === 0) return null;
  const stdout = await queue.readFile(file);
  if (stdout === null) return null;
  const { id, command, exit, seconds } = entry;
  const kept: Evidence = {
    id,
    probe: probe.id,
    command,
    end: 'exited',
    exit,
    startedAt: Date.parse(outcome.report.startedAt),
    seconds,
    stdout,
    stderr: new Uint8Array(),
    dropped: file.truncated ? 1 : 0,
  };
  const options = probe.options.safeParse(request.options?.[probe.id] ?? {});
  if (!options.success) return null;
  const parsed: Parsed<Data> = probe.parse(kept, {
    target: { host: target.host, pid: target.pid, startTime: target.startTime },
    windowSeconds: request.windowSeconds ?? seconds,
    known: null,
    options: options.data,
    keepFolder: '',
  });
  return parsed.ok ? { data: parsed.data, evidenceId: id, text: new TextDecoder().decode(stdout) } : null;
};

const NOT_KEPT: Observation<never> = { seen: false, reason: 'not-run', why: 'its evidence is not kept' };

/**
 * A look as a cause sees it, from the kept evidence of these probes; null when none of it is there any more. Throws
 * QueueUnavailable.
 */
export const keptLook = async (
  answer: Answer,
  probes: readonly Probe[],
  bot: Pick<BotContext, 'queue'>,
): Promise<Look | null> => {
  if (answer.outcome.kind !== 'report') return null;
  const { host, pid, startTime } = answer.outcome.report.target;
  const kept = new Map<string, { readonly data: unknown; readonly evidenceId: string; readonly text: string }>();
  for (const probe of probes) {
    const seen = await keptObservation(answer, probe, bot);
    if (seen !== null) kept.set(probe.id, seen);
  }
  if (kept.size === 0) return null;
  return {
    target: { host, pid, startTime },
    // What is stored under a probe's id came from that probe's own parser.
    see: <Data>({ id }: Probe<Data>): Observation<Data> => {
      const seen = kept.get(id);
      if (seen === undefined) return NOT_KEPT;
      return { seen: true, evidenceId: seen.evidenceId, data: seen.data as Data, partly: [] };
    },
    quote: (evidenceId, line) => {
      const text = [...kept.values()].find((each) => each.evidenceId === evidenceId)?.text.split('\n')[line - 1];
      if (text === undefined) throw new Error(`evidence ${evidenceId} has no line ${line}`);
      return { evidenceId, line, text };
    },
  };
};
