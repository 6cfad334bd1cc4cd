import { z } from 'zod';
import type { Slack } from './context.ts';
import { slackUser } from './user/index.ts';

const user = z.string();
const Given = z.union([z.string(), z.array(z.string()), z.null()]);
const Place = z.object({ channel: z.string(), ts: z.string() });

/** What a person does on the page. */
export const Act = z.discriminatedUnion('do', [
  z.object({ do: z.literal('slash'), user, command: z.string(), text: z.string(), channel: z.string() }),
  z.object({
    do: z.literal('say'),
    user,
    text: z.string().min(1),
    channel: z.string(),
    threadTs: z.string().optional(),
  }),
  z.object({ do: z.literal('act'), user, message: Place, actionId: z.string(), given: Given }),
  z.object({
    do: z.literal('act-in-view'),
    user,
    where: z.enum(['modal', 'home']),
    actionId: z.string(),
    given: Given,
  }),
  z.object({ do: z.literal('suggest'), user, actionId: z.string(), typed: z.string(), message: Place.optional() }),
  z.object({ do: z.literal('submit'), user, values: z.record(z.string(), Given) }),
  z.object({ do: z.literal('close'), user }),
  z.object({ do: z.literal('open-home'), user }),
  z.object({ do: z.literal('open-im'), user }),
]);
export type Act = z.infer<typeof Act>;

/** Does it with that person's hands; the result is what the page needs to go on. Throws when the person cannot do it. */
export async function perform(slack: Slack, act: Act): Promise<Record<string, unknown>> {
  const person = slackUser(slack, act.user);
  switch (act.do) {
    case 'slash':
      return { ack: (await person.slash(act.command, act.text, act.channel)).ack };
    case 'say':
      return { ts: person.say(act.text, { channel: act.channel, threadTs: act.threadTs }).ts };
    case 'act':
      return { ack: (await person.choose(act.message, act.actionId, act.given)).ack };
    case 'act-in-view':
      return { ack: (await person.actInView(act.actionId, act.given, act.where)).ack };
    case 'suggest':
      return { options: await person.suggest(act.actionId, act.typed, act.message) };
    case 'submit':
      return { result: await person.submitView(act.values) };
    case 'close':
      await person.closeView();
      return {};
    case 'open-home':
      person.openHome();
      return {};
    case 'open-im':
      return { channel: person.im() };
  }
}
