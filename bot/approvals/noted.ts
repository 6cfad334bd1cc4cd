import { type AuditEvent, type AuditNote, AuditUnavailable } from '../../infra/audit.ts';
import type { BotContext } from '../context.ts';
import type { Wanted } from './wanted.ts';

/**
 * Writes into the audit log what became of a question. Null when it was written, else the sentence that says why not; the caller
 * decides whether that matters.
 */
export const noted = async (
  { audit, log }: Pick<BotContext, 'audit' | 'log'>,
  event: AuditEvent,
  { asked, needs, team, channel, user, first }: Wanted,
  by: string,
  outcome?: string,
): Promise<string | null> => {
  const note: AuditNote = {
    event,
    request: asked.id,
    user: by,
    team,
    channel,
    via: first ? 'command' : 'follow-up',
    host: asked.host,
    pid: asked.pid,
    playbook: asked.playbook,
    impacts: needs,
    outcome: [by === user ? '' : `asked by ${user}`, outcome ?? ''].filter((words) => words !== '').join('; '),
  };
  try {
    await audit.write(note, event === 'approved' ? 'durable' : undefined);
    return null;
  } catch (error) {
    if (!(error instanceof AuditUnavailable)) throw error;
    log.error({ request: asked.id, event, error: String(error.cause) }, 'audit log not written');
    return error.message;
  }
};
