import type { Answer } from '../../infra/queue/messages.ts';
import type { Evidence, Parsed, Probe } from '../../playbooks/model/index.ts';
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
