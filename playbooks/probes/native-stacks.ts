import { z } from 'zod';
import { LineNumber } from '../model/index.ts';

export const NativeFrame = z.object({
  function: z.string().nullable(),
  /** Shared object or executable, when the tool names it. */
  module: z.string().nullable(),
  address: z.string(),
  at: LineNumber,
});
export type NativeFrame = z.infer<typeof NativeFrame>;
export const NativeThread = z.object({ tid: z.number().int(), frames: z.array(NativeFrame), at: LineNumber });
export type NativeThread = z.infer<typeof NativeThread>;
export const NativeStacksData = z.object({
  tool: z.enum(['eu-stack', 'gdb']),
  /** Innermost frame first. */
  threads: z.array(NativeThread),
});
export type NativeStacksData = z.infer<typeof NativeStacksData>;
