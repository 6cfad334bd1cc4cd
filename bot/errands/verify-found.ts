import { Found } from '../../playbooks/model/index.ts';
import { list } from '../../playbooks/reading/text.ts';
import { defineErrand } from '../errand.ts';
import { askForLook } from '../followups/tool.shared.ts';
import { saidAgain, sayInThread, Verifying } from '../verifying.ts';

/** Nothing took the place of the process: by what it was looked for. */
const nobody = (found: Extract<Found, { kind: 'found' }>): string => {
  const { selector, host, partly } = found;
  if (selector.kind !== 'successor') return '';
  const by = [
    ...(selector.unit === undefined ? [] : [`of the unit \`${selector.unit}\``]),
    ...(selector.ports?.length ? [`on port ${list(selector.ports.slice(0, 4).map(String), 'or')}`] : []),
    'with the same command line',
  ];
  const unseen = partly.length === 0 ? '' : ` (Not all could be seen: ${list(partly)}.)`;
  return `Process ${selector.pid} on \`${host}\` has gone, and there is no process ${list(by, 'or')} in its place, so there is nothing to verify.${unseen} When it runs, say \`verify\` again, or \`diagnose\` and what names it.`;
};

/** The process that is there now: looked at in the same way as the one before. */
export const verifyFound = defineErrand({
  errand: 'verify-found',
  data: Verifying.extend({ found: Found }),
  run: async ({ found, ...verifying }, _at, { attempt }, bot) => {
    const say = (sentence: string) => sayInThread(verifying, 'verify', sentence, attempt, bot);
    if (found.kind === 'failure') return await say(found.failure.sentence);
    const { pick, how, host } = found;
    if (pick === null) return await say(nobody(found));
    const before = await bot.queue.answerTo(verifying.before);
    if (before === null) return await say('The look to compare with has expired. Say `again` for a new one.');
    const { playbook, windowSeconds, options } = before.request;
    const words = [host, String(pick.pid), playbook, ...(windowSeconds === undefined ? [] : [String(windowSeconds)])];
    const answer = await askForLook(saidAgain(verifying, attempt), bot, words, options, {
      startTime: pick.startTime,
      why: `To verify: ${how}`,
      handTo: { errand: 'verify-done', data: { ...verifying, how } },
    });
    if (answer !== null) await say(answer);
  },
});
