import { list } from '../../playbooks/reading/text.ts';
import type { FollowUp } from '../follow-up.ts';
import { findOurs, once } from '../thread/post-once.ts';
import { escaped } from '../thread/rich-text.ts';
import { nearest, quoted } from '../words.ts';
import { lastLook } from './last-look.shared.ts';

/** The evidence of one probe as a file. */
export const raw: FollowUp = {
  verb: 'raw',
  usage: 'PROBE',
  summary: 'the evidence of one probe as a file',
  run: async (said, bot) => {
    const probe = said.words[0]?.toLowerCase();
    if (said.thread === null) return 'Say `raw PROBE` in a thread that I opened.';
    if (probe === undefined) return 'The evidence of which probe? For example `raw sample`.';
    const look = await lastLook(said, bot, (report) => report.evidence.some((each) => each.probe === probe));
    if (look === null) {
      const any = await lastLook(said, bot);
      const probes = [...new Set(any?.report.evidence.map((each) => each.probe) ?? [])];
      const near = nearest(probe, probes);
      const there =
        probes.length === 0
          ? ''
          : ` There is evidence of ${list((near.length > 0 ? near : probes).map((name) => `\`${name}\``))}.`;
      return `No look of this thread has evidence of ${quoted(probe)} that is still kept.${there}`;
    }
    const entry = look.report.evidence.findLast((each) => each.probe === probe && each.pid === undefined);
    const file = look.answer.files.find((each) => each.evidenceId === entry?.id);
    const content = file === undefined || file.bytes === 0 ? null : await bot.queue.readFile(file);
    if (file === undefined || content === null)
      return `The evidence of \`${probe}\` is empty, was too large to be kept, or has expired.`;
    const { mention, attempt } = said;
    const place = { channel: mention.channel, threadTs: said.thread.ts, since: mention.at };
    const comment = `Evidence of ${escaped(probe)}, ${escaped(mention.id)}.`;
    await once(
      attempt,
      () => findOurs(bot.slack, bot.me.botId, place, (message) => (message.text ?? '').includes(comment)),
      async () => {
        const id = await bot.slack.upload(file.name, content);
        await bot.slack.share(place, [{ id, title: `${file.name}${file.truncated ? ' (cut)' : ''}` }], comment);
        return null;
      },
    );
    return null;
  },
};
