import { z } from 'zod';

/**
 * What a probe may do to the process it looks at, mildest first.
 * `none`: nothing it could notice. `slows`: slower for the window (strace). `stops`: stopped for milliseconds to
 * seconds. `writes-disk`: leaves a file on the host. `risks-death`: has been seen to end processes.
 */
export const Impact = z.enum(['none', 'slows', 'stops', 'writes-disk', 'risks-death']);
export type Impact = z.infer<typeof Impact>;

/** The impacts that need nobody's yes. */
export const HARMLESS_BY_DEFAULT: readonly Impact[] = ['none', 'slows'];

/** The impacts of `wanted` that `allowed` does not cover; empty means the step may run. `none` is always allowed. */
export const impactsNotAllowed = (wanted: readonly Impact[], allowed: readonly Impact[]): Impact[] =>
  wanted.filter((impact) => impact !== 'none' && !allowed.includes(impact));

/** How a probe's impacts are written in reports and on command lines: `stops,writes-disk`. */
export const formatImpacts = (impacts: readonly Impact[]): string => impacts.join(',');
