import type { ProgressMessage } from '../../infra/queue/messages.ts';
import { type Throttle, throttle } from '../../infra/queue/throttle.ts';
import type { BotContext } from '../context.ts';
import { progressContent } from './first-message.ts';
import { askerOf, showing } from './showing.ts';

const EVERY_MS = 1_000;
/** Looks whose progress is kept apart at once; with more, the oldest starts anew, which costs an edit. */
const MAX_LOOKS = 500;

/** Shows progress in first messages, each edited at most once a second; the newest state wins. */
export interface ProgressShow {
  readonly show: (message: ProgressMessage) => void;
  readonly close: () => void;
}

/** Opens the show. Nothing it does can fail in a way that matters: what is lost is followed by something newer. */
export const progressShow = ({ slack, queue, languages, log }: BotContext): ProgressShow => {
  const looks = new Map<string, Throttle<ProgressMessage>>();
  const edit = async ({ request, progress, order }: ProgressMessage): Promise<void> => {
    const { origin } = request;
    // What an alert's look shows in the end is decided when it is done; that it goes on is always shown.
    if (origin.kind !== 'slack' || (origin.quiet === true && origin.via !== 'alert')) return;
    const { at, mark, edited } = showing(request, origin);
    try {
      await queue.turns.progress(edited, order, () =>
        slack.edit(at, progressContent(request, askerOf(origin), progress, languages.ofLook(origin)), mark, 'skip'),
      );
    } catch (error) {
      log.debug({ requestId: request.id, error: String(error) }, 'progress not shown');
    }
  };
  return {
    show: (message) => {
      const { id } = message.request;
      let look = looks.get(id);
      if (look === undefined) {
        const oldest = looks.size >= MAX_LOOKS ? looks.keys().next().value : undefined;
        if (oldest !== undefined) {
          looks.get(oldest)?.stop();
          looks.delete(oldest);
        }
        look = throttle(EVERY_MS, edit);
        looks.set(id, look);
      }
      look.call(message);
    },
    close: () => {
      for (const look of looks.values()) look.stop();
    },
  };
};
