import { z } from 'zod';
import { LineNumber } from '../model/index.ts';

export const OpenFile = z.object({
  /** `3u`, `cwd`, `txt`, `mem`, … as lsof writes it. */
  fd: z.string(),
  type: z.string(),
  name: z.string(),
  inode: z.string().nullable(),
  size: z.number().nullable(),
  deleted: z.boolean(),
  at: LineNumber,
});
export type OpenFile = z.infer<typeof OpenFile>;
export const LsofData = z.object({ files: z.array(OpenFile) });
export type LsofData = z.infer<typeof LsofData>;
