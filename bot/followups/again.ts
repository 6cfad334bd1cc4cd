import { Request } from '../../playbooks/model/index.ts';
import { gate } from '../approvals/gate.ts';
import type { FollowUp } from '../follow-up.ts';
import { requestIdOf } from '../request-id.ts';
import { sentenceContent } from '../thread/first-message.ts';
import { postOnce } from '../thread/post-once.ts';
import { reopen } from '../thread/resolved.ts';
import { knownOf } from './known.shared.ts';
import { askForLook } from './tool.shared.ts';

/** The same look once more, in the same thread, as a request of its own. */
export const again: FollowUp = {
  verb: 'again',
  usage: '',
  summary: 'look at the same process again, in the same way',
  run: async (said, bot) => {
    const { mention, thread, attempt } = said;
    const { queue, slack, me } = bot;
    if (thread === null) return 'There is nothing to repeat here: say `again` in a thread that I opened.';
    const id = requestIdOf(mention.team, mention.id);
    const { mark, ts } = thread;
    if (mark.alert === true && mark.host !== undefined && mark.pid !== undefined) {
      // The first message shows the alert and keeps what it says.
      return await askForLook(said, bot, [
        mark.host,
        String(mark.pid),
        ...(mark.playbook === undefined ? [] : [mark.playbook]),
      ]);
    }
    const weighed = await gate(mention, { host: mark.host ?? '', playbook: mark.playbook ?? '' }, bot);
    if (weighed.way === 'ask' && mark.host !== undefined && mark.pid !== undefined && mark.playbook !== undefined) {
      const seconds = mark.window_seconds === undefined ? [] : [`${mark.window_seconds}`];
      // A look that may never be made is shown by a message of its own.
      return await askForLook(said, bot, [mark.host, String(mark.pid), mark.playbook, ...seconds]);
    }
    const request = Request.safeParse({
      id,
      host: mark.host,
      pid: mark.pid,
      playbook: mark.playbook,
      windowSeconds: mark.window_seconds,
      ...(await knownOf(thread, mark, bot)),
      allow: [...weighed.allow],
      origin: {
        kind: 'slack',
        team: mention.team,
        channel: mention.channel,
        user: mention.user,
        threadTs: ts,
        via: 'follow-up',
      },
      requestedAt: mention.at,
    });
    if (!request.success) return 'I cannot see in this thread what was looked at. Ask with `/diagnose HOST PID`.';
    const { host, pid, playbook } = request.data;
    const content = sentenceContent(
      `Looking again at process ${pid} on ${host} (playbook \`${playbook}\`). The first message shows how far it is.`,
    );
    const place = { channel: mention.channel, threadTs: ts, since: mention.at };
    await postOnce(slack, me.botId, place, content, { request_id: id, part: 'again' }, attempt);
    await reopen({ queue }, { channel: mention.channel, threadTs: ts }, mention.at);
    await queue.enqueue(request.data);
    return null;
  },
};
