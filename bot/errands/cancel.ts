import { z } from 'zod';
import { HostName, Pid } from '../../playbooks/model/index.ts';
import { defineErrand } from '../errand.ts';
import { sightOf } from '../sight.ts';
import { cancelAll } from '../thread/cancel.ts';
import { escaped } from '../thread/rich-text.ts';
import { watched } from '../watches/message.ts';

/** Ends the looks at a process for somebody who typed that, and tells them alone; the threads of the looks are told by their answers. */
export const cancel = defineErrand({
  errand: 'cancel',
  data: z.object({
    team: z.string(),
    channel: z.string(),
    user: z.string(),
    host: HostName,
    pid: Pid,
    responseUrl: z.url(),
  }),
  run: async ({ team, channel, user, host, pid, responseUrl }, at, _delivery, bot) => {
    const tell = (text: string) => bot.slack.respond(responseUrl, text, user);
    const refusal = await bot.access.refusal({ team, user });
    if (refusal !== null) return void (await tell(refusal));
    const it = (process: { readonly host: string; readonly pid: number }) =>
      process.host === host && process.pid === pid;
    const sees = sightOf(user, bot, channel);
    const said = await cancelAll(bot, {
      id: `${user}-${at}`,
      user,
      looks: it,
      watches: it,
      approvals: ({ asked }) => it(asked),
      sees,
    });
    await tell(
      escaped(
        said ?? `Nothing that you may see looks at ${watched({ host, pid })} now, so there is nothing to cancel.`,
      ),
    );
  },
});
