import type { HomeView, ModalView } from '@slack/types';
import { WebAPIPlatformError, type WebClient } from '@slack/web-api';
import { z } from 'zod';
import { SlackRefused } from '../slack/errors.ts';
import type { Content } from '../slack/shapes.ts';
import { type Check, fine, trying, wrong } from './check.ts';
import { calling } from './examine.ts';

/** Something that the bot shows, made from example data. `of` names the function that made it. */
export interface Sample {
  readonly of: string;
  readonly name: string;
  readonly shown: { readonly message: Content } | { readonly view: ModalView | HomeView };
}

/** What `blocks.validate` says of one place (docs.slack.dev/reference/methods/blocks.validate). */
const Faults = z.object({
  errors: z.array(
    z.object({ pointer: z.string().optional(), code: z.string().optional(), message: z.string().optional() }),
  ),
});

const MOST_TOLD = 3;

const faultsIn = ({ cause, code }: SlackRefused): string => {
  const read = Faults.safeParse(cause instanceof WebAPIPlatformError ? cause.data : null);
  const told = (read.data?.errors ?? [])
    .slice(0, MOST_TOLD)
    .map((each) => `${each.pointer ?? ''}: ${each.message ?? each.code ?? ''}`);
  return [code, ...told].join('; ');
};

const ABOUT_BLOCKS = new Set(['invalid_blocks', 'invalid_message', 'invalid_view']);

/** Has Slack look at every sample. One line when it would take all of them, else one for each that it would not. */
export const blockChecks = (web: WebClient, samples: readonly Sample[]): Promise<Check[]> =>
  trying('messages', async () => {
    const bad: Check[] = [];
    for (const { name, shown } of samples) {
      try {
        await calling('blocks.validate', () =>
          web.blocks.validate(
            'view' in shown ? { view: shown.view } : { message: { blocks: [...shown.message.blocks] } },
          ),
        );
      } catch (error) {
        if (!(error instanceof SlackRefused) || !ABOUT_BLOCKS.has(error.code)) throw error;
        const todo = 'report it with this line: Slack has changed what it takes, or this is a bug of the bot';
        bad.push(wrong(`message: ${name}`, `Slack would refuse it (${faultsIn(error)})`, todo));
      }
    }
    return bad.length > 0 ? bad : [fine('messages', `Slack would take all ${samples.length} kinds that the bot shows`)];
  });
