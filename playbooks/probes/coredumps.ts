import { z } from 'zod';
import { defineProbe, evidenceText, LineNumber } from '../model/index.ts';
import { parseCoredumps } from './coredumps.parse.ts';
import { CORE_FINDERS } from './coredumps.readers.ts';

/** A file that was mapped into a process that died, and whether the file that lies at its path now is the same. */
export const MappedFile = z.object({
  path: z.string(),
  /** GNU build id of what was mapped, hex; null when the core does not hold it. */
  buildId: z.string().nullable(),
  /** Build id of the file at that path now; null when there is none. */
  onDisk: z.string().nullable(),
  at: LineNumber,
});
export type MappedFile = z.infer<typeof MappedFile>;

/** What the notes of a core file say (core(5)); its memory was not read. */
export const CoreFile = z.object({
  path: z.string(),
  bytes: z.number(),
  /** When it was written, which is when the process died: seconds since 1970. */
  written: z.number(),
  signal: z.number().int().nullable(),
  /** si_code of sigaction(2): above 0 the kernel raised it (a fault), else a process sent it. */
  code: z.number().int().nullable(),
  /** Address of the fault, `0x8`; null when there is none. */
  address: z.string().nullable(),
  /** Who sent the signal, when a process did; as the dead process itself counted pids. */
  sender: z.number().int().nullable(),
  pid: z.number().int().nullable(),
  parent: z.number().int().nullable(),
  threads: z.number().int(),
  /**
   * What it was to the target: its child, a sibling, of its process group, or its predecessor by program and arguments; or
   * the target itself, of which a core was taken.
   */
  relation: z.enum(['child', 'sibling', 'group', 'predecessor', 'itself']),
  name: z.string(),
  command: z.string(),
  executable: MappedFile.nullable(),
  /** The file whose code was executed when it died, and how far from where that file begins in memory. */
  crashedIn: MappedFile.extend({ offset: z.string() }).nullable(),
  /** Shared objects that are neither the system's nor the interpreter's own. */
  extensions: z.array(z.object({ path: z.string(), at: LineNumber })),
  at: LineNumber,
});
export type CoreFile = z.infer<typeof CoreFile>;

export const CoredumpsData = z.object({
  /** kernel.core_pattern (core(5)), and whether the kernel adds `.PID`. */
  pattern: z.object({ text: z.string(), usesPid: z.boolean(), at: LineNumber }),
  /** RLIMIT_CORE in bytes, null for unlimited, of the target and its relatives. */
  limits: z.array(
    z.object({
      who: z.enum(['target', 'parent', 'sibling', 'child']),
      pid: z.number().int(),
      soft: z.number().nullable(),
      hard: z.number().nullable(),
      at: LineNumber,
    }),
  ),
  searched: z.array(z.object({ folder: z.string(), what: z.string(), at: LineNumber })),
  /** Files whose code the live target has mapped, and where (hex): forked workers have them at the very same places. */
  code: z.array(z.object({ path: z.string(), start: z.string(), at: LineNumber })),
  /** Cores of the target's family, newest first. */
  cores: z.array(CoreFile),
  /** Cores that are probably the family's and could not be read: packed, or cut. */
  unread: z.array(z.object({ path: z.string(), written: z.number(), why: z.string(), at: LineNumber })),
});
export type CoredumpsData = z.infer<typeof CoredumpsData>;

/**
 * The core files that a process's family left where kernel.core_pattern lets them be written, read as far as their notes:
 * who died, when, by which signal, in whose code; and the limits and settings that decide whether there is a core at all.
 */
export const coredumps = defineProbe<CoredumpsData>({
  id: 'coredumps',
  title: 'Core files of the process’s family',
  phase: 1,
  impacts: ['none'],
  ptraces: false,
  needs: { python: true, privilege: 'none' },
  limits: { seconds: () => 10, bytes: 500_000, endWith: 'TERM' },
  options: z.strictObject({}),
  data: CoredumpsData,
  command: ({ target, known }) => ({
    argv: [known?.python ?? 'python3', '-I', '-S', '-B', '{script:coredumps.py}', String(target.pid), target.startTime],
    scripts: ['coredumps.py', ...CORE_FINDERS, 'py_read_report.py'],
  }),
  parse: (evidence) => parseCoredumps(evidenceText(evidence)),
});
