import { z } from 'zod';
import { AuditEntry } from '../audit.ts';
import { Answer, type StoredFile } from '../queue/messages.ts';

/** A look as it waits to be written down. */
export const KeptLook = z.object({
  answer: Answer,
  headline: z.string(),
  /** fault, healthy, unclear, failed or cancelled. */
  state: z.string(),
  /** Whether its channel is closed to others of the workspace. */
  private: z.boolean(),
});
export type KeptLook = z.infer<typeof KeptLook>;

/** The keys under which these files must not expire before they are written. */
export const heldFor = (files: readonly StoredFile[]): readonly string[] => [
  ...new Set(files.flatMap(({ stored }) => (stored === '' ? [] : [stored]))),
];

const Thread = { channel: z.string(), threadTs: z.string(), at: z.number() };

/** A small fact as it waits to be written down. */
export const KeptNote = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('audit'), entry: AuditEntry }),
  z.object({
    kind: z.literal('feedback'),
    ...Thread,
    requestId: z.string(),
    user: z.string(),
    cause: z.string(),
    words: z.string().nullable(),
  }),
  z.object({ kind: z.literal('resolution'), ...Thread, user: z.string(), note: z.string().nullable() }),
  z.object({
    kind: z.literal('verification'),
    ...Thread,
    before: z.string(),
    after: z.string(),
    verdict: z.enum(['gone', 'still', 'unknown']),
    title: z.string(),
  }),
]);
export type KeptNote = z.infer<typeof KeptNote>;
