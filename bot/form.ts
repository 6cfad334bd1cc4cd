import type { KnownBlock, ModalView } from '@slack/types';
import { z } from 'zod';

/** What was filled into a modal, by block_id: a text, or the value of what was chosen; null where nothing was. */
export type Filled = Readonly<Record<string, string | null>>;

/** A modal as somebody submitted it, as far as it is read. */
export const Submission = z.object({
  user: z.object({ id: z.string(), team_id: z.string().optional() }),
  team: z.object({ id: z.string() }).nullish(),
  view: z.object({
    id: z.string(),
    callback_id: z.string(),
    private_metadata: z.string(),
    state: z.object({
      values: z.record(
        z.string(),
        z.record(
          z.string(),
          z.object({ value: z.string().nullish(), selected_option: z.object({ value: z.string() }).nullish() }),
        ),
      ),
    }),
    blocks: z.array(z.object({ type: z.string(), block_id: z.string() })),
  }),
});
export type Submission = z.infer<typeof Submission>;

/** The fields of a submission. Slack keeps an input's value under its block_id and action_id; ours have one action each. */
export const filledIn = ({ view }: Submission): Filled =>
  Object.fromEntries(
    Object.entries(view.state.values).map(([block, actions]) => {
      const [first] = Object.values(actions);
      const given = first?.selected_option?.value ?? first?.value?.trim() ?? '';
      return [block, given === '' ? null : given];
    }),
  );

/** A sentence for each field that is wrong, as Slack wants them: at input blocks of this view only. */
export const complaints = (error: z.ZodError, { view }: Submission): Record<string, string> => {
  const inputs = view.blocks.filter(({ type }) => type === 'input').map(({ block_id }) => block_id);
  const errors: Record<string, string> = {};
  for (const { path, message } of error.issues) {
    const field = inputs.find((id) => id === path[0]) ?? inputs[0];
    if (field !== undefined) errors[field] ??= message;
  }
  return errors;
};

/** A modal. `metadata` comes back with the submission; Slack takes 3,000 characters of it. */
export const modal = (
  callbackId: string,
  words: { readonly title: string; readonly submit: string },
  blocks: readonly KnownBlock[],
  metadata: object,
): ModalView => ({
  type: 'modal',
  callback_id: callbackId,
  private_metadata: JSON.stringify(metadata),
  title: { type: 'plain_text', text: words.title, emoji: false },
  submit: { type: 'plain_text', text: words.submit, emoji: false },
  close: { type: 'plain_text', text: 'Cancel', emoji: false },
  blocks: [...blocks],
});

/** What came back as `metadata`, or null when it is not of that shape. */
export const metadataOf = <T>({ view }: Submission, shape: z.ZodType<T>): T | null => {
  try {
    return shape.safeParse(JSON.parse(view.private_metadata)).data ?? null;
  } catch {
    return null;
  }
};
