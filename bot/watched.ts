import type { Audit, AuditEvent } from '../infra/audit.ts';
import { withLogFields } from '../infra/log.ts';
import type { Counts } from '../infra/metrics/counts.ts';
import type { BotQueue } from '../infra/queue/bot-side.ts';
import type { Trace } from '../infra/tracing/trace.ts';

/** The queue, whose work shows in traces and has its id in each line of the log. */
export const watchedQueue = (queue: BotQueue, trace: Trace): BotQueue => ({
  ...queue,
  onIntake: (handler) =>
    queue.onIntake((intake, delivery) => {
      const name = intake.kind === 'errand' ? `errand ${intake.errand}` : intake.kind;
      const attributes = { 'straceback.intake': intake.kind, 'straceback.attempt': delivery.attempt };
      return withLogFields({ intake: intake.id }, () => trace.span(name, attributes, () => handler(intake, delivery)));
    }),
  onAnswer: (handler) =>
    queue.onAnswer((answer, tools) => {
      const attributes = { 'straceback.request': answer.requestId, 'straceback.attempt': tools.attempt };
      return withLogFields({ requestId: answer.requestId }, () =>
        trace.span('answer', attributes, () => handler(answer, tools)),
      );
    }),
});

const APPROVALS: ReadonlySet<AuditEvent> = new Set(['approval-asked', 'approved', 'refused', 'expired', 'denied']);

/** The audit log, by whose lines approvals are counted. */
export const countedAudit = (audit: Audit, counts: Pick<Counts, 'approval'>): Audit => ({
  write: async (note, durable) => {
    await audit.write(note, durable);
    if (APPROVALS.has(note.event)) counts.approval(note.event === 'approval-asked' ? 'asked' : note.event);
  },
});
