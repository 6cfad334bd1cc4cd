import { type Audit, type AuditNote, AuditUnavailable } from '../infra/audit.ts';
import type { Log } from '../infra/log.ts';
import type { BotQueue } from '../infra/queue/bot-side.ts';
import { HARMLESS_BY_DEFAULT, type Request, selectorText } from '../playbooks/model/index.ts';
import type { Access } from './access.ts';

const requestNote = ({ id, host, pid, playbook, allow, origin, approval }: Request): AuditNote => ({
  event: 'requested',
  request: id,
  host,
  pid,
  playbook,
  impacts: allow,
  ...(origin.kind === 'slack'
    ? { user: origin.user, team: origin.team, channel: origin.channel, via: origin.via }
    : { via: origin.kind }),
  ...(approval === undefined ? {} : { outcome: `approved by ${approval.by}` }),
});

/** Writes a line; false when it could not be. */
const written = async (audit: Audit, log: Log, note: AuditNote): Promise<boolean> => {
  try {
    await audit.write(note);
    return true;
  } catch (error) {
    if (!(error instanceof AuditUnavailable)) throw error;
    log.error({ request: note.request, event: note.event, error: String(error.cause) }, 'audit log not written');
    return false;
  }
};

/**
 * The queue with every request written down before it goes to the workers. One that cannot be written down goes without what is
 * more than harmless; its report says what was left out.
 */
export const auditedQueue = (queue: BotQueue, audit: Audit, log: Log): BotQueue => ({
  ...queue,
  enqueue: async (request) => {
    if (await written(audit, log, requestNote(request))) return await queue.enqueue(request);
    const allow = request.allow.filter((impact) => HARMLESS_BY_DEFAULT.includes(impact));
    return await queue.enqueue({ ...request, allow });
  },
  find: async (find) => {
    const { id, host, selector, asker } = find;
    await written(audit, log, { event: 'sought', request: id, host, ...asker, outcome: selectorText(selector) });
    return await queue.find(find);
  },
});

/** Access with everybody who was turned away written down. */
export const auditedAccess = (access: Access, audit: Audit, log: Log): Access => ({
  ...access,
  refusal: async (who) => {
    const refusal = await access.refusal(who);
    if (refusal !== null) {
      await written(audit, log, { event: 'denied', user: who.user, team: who.team, outcome: refusal });
    }
    return refusal;
  },
});
