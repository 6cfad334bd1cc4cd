import { createHmac } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { groupIdOf } from '../../bot/alerts/group.ts';
import { requestIdOf } from '../../bot/request-id.ts';
import type { SlackMessage } from '../../infra/sandbox/slack/types.ts';
import { FINAL_PARTS, markIn } from './marks.ts';
import type { Parts } from './parts.ts';
import type { PlannedLook, Way } from './plan.ts';

/** A request that was made, and what is known of its arrival. */
export interface Asked {
  /** Of the look; for an alert of its group. */
  readonly id: string;
  readonly way: Way;
  readonly what: string;
  /** Whether the program said that it has it: only then somebody may expect an answer. */
  readonly taken: boolean;
  /** What the asker alone was told; grows. */
  readonly told: readonly SlackMessage[];
}

/** Makes requests as people and alert sources do. */
export interface Asker {
  /** Null when there is no thread yet to say a follow-up in. */
  readonly ask: (look: PlannedLook, index: number) => Promise<Asked | null>;
  /** The next so many mentions are delivered twice. */
  readonly repeatMentions: (count: number) => void;
  /** How many requests have their final answer. */
  readonly answered: () => number;
  /** How many commands and follow-ups of the last half a minute wait for theirs: what hangs is found at the end, and holds up nothing. */
  readonly underWay: () => number;
  readonly close: () => void;
}

/** The longest that somebody waits before asking goes on without, ms. */
const PATIENCE_MS = 60_000;
const UNDER_WAY_MS = 30_000;
const ALERT_TRIES = 60;

const at = <Value>(values: readonly Value[], index: number): Value => {
  const value = values[index % values.length];
  if (value === undefined) throw new Error('there is none of them');
  return value;
};

/** Watches the local Slack and asks in it. `name` makes the alerts of this run differ from others'. */
export const openAsker = (parts: Parts, name: string): Asker => {
  const { slack, hosts } = parts;
  const answered = new Set<string>();
  /** Threads that a command opened and whose look has ended. */
  const threads: string[] = [];
  const events = new Map<string, string>();
  const acknowledged = new Set<string>();
  /** When each was asked that is not answered yet. */
  const waiting = new Map<string, number>();
  let repeats = 0;
  const ends = [
    slack.on('message', ({ message }) => {
      const mark = markIn(message);
      if (mark === null || !FINAL_PARTS.includes(mark.part)) return;
      answered.add(mark.request_id);
      waiting.delete(mark.request_id);
      if (message.channel === slack.channel('ops') && message.thread_ts !== undefined) threads.push(message.thread_ts);
    }),
    slack.on('delivered', ({ id, acked }) => {
      if (acked) acknowledged.add(id);
    }),
  ];
  // Asked after each event's delivery whether it is to be repeated: that is also where its id can be seen.
  slack.events.repeat(Number.POSITIVE_INFINITY, ({ event_id: id, event }) => {
    const { type, ts } = event as { type?: unknown; ts?: unknown };
    if (type !== 'app_mention') return false;
    events.set(String(ts), String(id));
    repeats -= 1;
    return repeats >= 0;
  });

  const command = async (look: PlannedLook): Promise<Asked> => {
    const host = at(hosts, look.host);
    const what = `${host.name} ${at(host.targets, look.target).pid} ${look.words}`;
    // Nobody types into a Slack that shows the app as away.
    await slack.waitFor(() => slack.sockets.open > 0, { timeoutMs: PATIENCE_MS }).catch(() => undefined);
    const { ack, triggerId, responses } = await slack.user(look.user).slash('/diagnose', what, 'ops');
    const id = requestIdOf(slack.world.team.id, triggerId);
    return { id, way: 'command', what, taken: ack.acked && responses.length === 0, told: responses };
  };

  const followUp = async (look: PlannedLook): Promise<Asked | null> => {
    await slack.waitFor(() => threads.length > 0, { timeoutMs: PATIENCE_MS }).catch(() => undefined);
    if (threads.length === 0) return null;
    const said = slack
      .user(look.user)
      .say(`@straceback ${look.words}`, { channel: 'ops', threadTs: at(threads, look.target) });
    const id = await slack.waitFor(() => events.get(said.ts), { timeoutMs: PATIENCE_MS }).catch(() => undefined);
    return {
      id: id === undefined ? `event of ${said.ts}` : requestIdOf(slack.world.team.id, id),
      way: 'follow-up',
      what: look.words,
      taken: id !== undefined && acknowledged.has(id),
      told: [],
    };
  };

  const alert = async (look: PlannedLook, index: number): Promise<Asked> => {
    const host = at(hosts, look.host);
    const { pid } = at(host.targets, look.target);
    const group = `${name}-${index}`;
    const title = `Alert ${index} about a process of ${host.name}`;
    const labels = { host: host.name, pid: String(pid) };
    const body = JSON.stringify({ group, status: 'firing', severity: 'critical', title, labels });
    const time = String(Math.floor(Date.now() / 1000));
    const signature = createHmac('sha256', parts.alertSecret).update(`${time}.${body}`).digest('hex');
    const deliver = async (port: number): Promise<boolean> => {
      for (let tries = 0; tries < ALERT_TRIES; tries += 1) {
        const status = await fetch(`http://127.0.0.1:${port}/alerts/generic`, {
          method: 'POST',
          headers: {
            'content-type': 'application/json',
            'x-straceback-timestamp': time,
            'x-straceback-signature': `v1=${signature}`,
          },
          body,
        }).then(
          (response) => response.status,
          () => 0,
        );
        if (status === 202) return true;
        // Its bot is being started again, or has no Redis: a source tries again, too.
        await sleep(500);
      }
      return false;
    };
    const taken = await Promise.all(
      Array.from({ length: look.deliveries }, (_, each) => deliver(at(parts.alertPorts, index + each))),
    );
    const id = groupIdOf({ source: 'generic', group });
    return { id, way: 'alert', what: `${host.name} ${pid}`, taken: taken.includes(true), told: [] };
  };

  return {
    ask: async (look, index) => {
      if (look.way === 'alert') return await alert(look, index);
      const made = look.way === 'command' ? await command(look) : await followUp(look);
      if (made?.taken && !answered.has(made.id)) waiting.set(made.id, Date.now());
      return made;
    },
    repeatMentions: (count) => {
      repeats = Math.max(0, repeats) + count;
    },
    answered: () => answered.size,
    underWay: () => [...waiting.values()].filter((since) => Date.now() - since < UNDER_WAY_MS).length,
    close: () => {
      for (const end of ends) end();
    },
  };
};
