import { Found, selectorText } from '../../playbooks/model/index.ts';
import { code, list } from '../../playbooks/reading/text.ts';
import { defineErrand } from '../errand.ts';
import { lookAtChosen } from '../look-at-chosen.ts';
import { chosenFrom, Seeking } from '../seek.ts';
import { offerCandidates, tellAsker } from '../thread/candidates.ts';

/** None of the host's processes is meant: what is near, and what could not be seen. */
const noneSentence = (host: string, found: Extract<Found, { kind: 'found' }>): string => {
  const { selector, near, partly } = found;
  const what =
    selector.kind === 'port'
      ? `No process on \`${host}\` listens on TCP port ${selector.port}.`
      : `No process on \`${host}\` is meant by ${code(selectorText(selector), 220)}.`;
  const unseen = partly.length === 0 ? '' : ` (Not all could be seen: ${list(partly)}.)`;
  return `${what}${near === '' ? '' : ` ${near}`}${unseen}`;
};

/** The worker's answer to which process is meant: the look goes on, or the asker is told why not, or picks. */
export const sought = defineErrand({
  errand: 'sought',
  data: Seeking.extend({ found: Found }),
  run: async ({ found, ...seeking }, _at, { attempt }, bot) => {
    if (found.kind === 'failure') return await tellAsker(seeking, found.failure.sentence, bot);
    const { pick, candidates, how } = found;
    if (pick !== null) {
      const answer = await lookAtChosen(seeking, chosenFrom(pick, how), attempt, bot);
      if (answer !== null) await tellAsker(seeking, answer, bot);
      return;
    }
    if (candidates.length === 0) return await tellAsker(seeking, noneSentence(seeking.wanted.host, found), bot);
    await offerCandidates(seeking, found, bot);
  },
});
