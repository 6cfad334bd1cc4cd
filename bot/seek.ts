import { z } from 'zod';
import { Mention } from '../infra/queue/messages.ts';
import { type Candidate, HostName, ProbeOptions, Selector, UnitId } from '../playbooks/model/index.ts';
import type { BotContext } from './context.ts';
import { Mark } from './slack/shapes.ts';

/** What a look is asked for with, before its process is known. */
export const Wanted = z.object({
  host: HostName,
  selector: Selector,
  playbook: UnitId,
  windowSeconds: z.number().optional(),
});
export type Wanted = z.infer<typeof Wanted>;

/** Who asked, where: with the slash command, or with a word in a thread. */
export const AskedBy = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('command'),
    id: z.string(),
    team: z.string(),
    channel: z.string(),
    user: z.string(),
    responseUrl: z.url(),
    at: z.number(),
  }),
  z.object({
    kind: z.literal('thread'),
    id: z.string(),
    mention: Mention,
    thread: z.object({ ts: z.string(), mark: Mark }).nullable(),
    options: ProbeOptions.optional(),
  }),
]);
export type AskedBy = z.infer<typeof AskedBy>;

/** A look whose process is being looked for. Travels with errands and with the list to pick from. */
export const Seeking = z.object({ wanted: Wanted, by: AskedBy });
export type Seeking = z.infer<typeof Seeking>;

/** A process that was chosen, and how it follows from what was asked for. */
export const Chosen = z.object({ pid: z.number().int(), startTime: z.string(), how: z.string() });
export type Chosen = z.infer<typeof Chosen>;

export const chosenFrom = ({ pid, startTime }: Candidate, how: string): Chosen => ({ pid, startTime, how });

/** Has a worker look which process is meant; `sought` goes on with its answer. Safe to repeat. Throws QueueUnavailable. */
export const seek = async ({ wanted, by }: Seeking, { queue }: Pick<BotContext, 'queue'>): Promise<void> => {
  const { host, selector } = wanted;
  const { team, channel, user } = by.kind === 'command' ? by : by.mention;
  const asker = { team, channel, user };
  await queue.find({ id: `look-${by.id}`, host, selector, asker, handTo: { errand: 'sought', data: { wanted, by } } });
};
