import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Finding, Report } from '../../playbooks/model/index.ts';
import { verdictOf } from '../../playbooks/report-parts.ts';
import type { BotContext } from '../context.ts';
import type { Group } from './group.ts';
import { oneLine } from './thread.ts';

/** Where a cause was found for a group. */
export const Sighting = z.object({
  group: z.string(),
  title: z.string(),
  channel: z.string(),
  ts: z.string(),
  at: z.number(),
});
export type Sighting = z.infer<typeof Sighting>;

const Sightings = z.array(Sighting);

const KIND = 'alert-cause';
const MAX_SIGHTINGS = 50;

/** The finding that a report stands for: its first one, if it is a fault and more than a hint. */
export const faultIn = (report: Report): Finding | null => {
  const { verdict, first } = verdictOf(report);
  return verdict === 'fault' ? first : null;
};

/** The identity of a trouble: what is wrong with which process. Texts do not count. */
const identityOf = ({ target }: Report, { cause }: Finding): string =>
  createHash('sha256')
    .update(JSON.stringify([target.host, target.pid, target.startTime, cause]))
    .digest('hex')
    .slice(0, 24);

/**
 * Keeps that a cause was found for a group, and returns in which other groups it was found before, within the time that the
 * configuration says. The same however often it is asked. Throws QueueUnavailable.
 */
export const sighted = (
  { queue, alerts }: Pick<BotContext, 'queue' | 'alerts'>,
  group: Group,
  thread: { channel: string; threadTs: string },
  report: Report,
  finding: Finding,
): Promise<Sighting[]> => {
  const id = identityOf(report, finding);
  const seconds = Math.round(alerts.limits.sameCauseMinutes * 60);
  if (seconds === 0) return Promise.resolve([]);
  return queue.alone(KIND, id, async () => {
    const kept = Sightings.safeParse(await queue.notes.get(KIND, id)).data ?? [];
    const recent = kept.filter(({ at }) => queue.now() - at < seconds * 1_000);
    const mine = recent.findIndex((each) => each.group === group.id);
    if (mine >= 0) return recent.slice(0, mine);
    const own = {
      group: group.id,
      title: oneLine(group.title, 200),
      channel: thread.channel,
      ts: thread.threadTs,
      at: queue.now(),
    };
    await queue.notes.set(KIND, id, [...recent, own].slice(-MAX_SIGHTINGS), seconds);
    return recent;
  });
};

/** A group with a link to another one. Pure. */
export const linkedTo = (
  group: Group,
  other: Pick<Sighting, 'group' | 'title' | 'channel' | 'ts'>,
  cause: string,
): Group =>
  group.same.some((each) => each.group === other.group && each.cause === cause)
    ? group
    : {
        ...group,
        same: [
          ...group.same,
          { group: other.group, title: other.title, channel: other.channel, ts: other.ts, cause },
        ].slice(-10),
      };
