import { z } from 'zod';
import { ViewBlock } from './blocks.ts';
import { PlainText } from './text.ts';

const common = {
  blocks: z.array(ViewBlock).max(100),
  private_metadata: z.string().max(3000).optional(),
  callback_id: z.string().max(255).optional(),
  external_id: z.string().max(255).optional(),
};

export const ModalView = z
  .strictObject({
    type: z.literal('modal'),
    title: PlainText(24),
    submit: PlainText(24).optional(),
    close: PlainText(24).optional(),
    clear_on_close: z.boolean().optional(),
    notify_on_close: z.boolean().optional(),
    ...common,
  })
  .refine((view) => view.submit !== undefined || !view.blocks.some((block) => block.type === 'input'), {
    path: ['submit'],
    message: 'missing required field: submit',
  });

export const HomeView = z.strictObject({ type: z.literal('home'), ...common });

export type ModalView = z.infer<typeof ModalView>;
export type HomeView = z.infer<typeof HomeView>;
