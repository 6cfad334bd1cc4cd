import { z } from 'zod';

/** What a host still knows of a process that has gone. */
export interface EndFacts {
  /** Its systemd unit and command line, by the last thing that it wrote to the journal, or by its service. */
  readonly unit: string | null;
  readonly command: string | null;
  /** The service whose main process it was, if systemd still says how that ended. */
  readonly service: ServiceEnd | null;
  /** How the last main process of its unit ended, by systemd's words. `code` as in ServiceEnd, `time` in seconds since 1970. */
  readonly exited: {
    readonly unit: string;
    readonly code: number;
    readonly status: number;
    readonly time: number | null;
  } | null;
  /** What systemd-coredump wrote, or a core's file. */
  readonly core: { readonly signal: string | null; readonly time: number | null; readonly file: string | null } | null;
}

export interface ServiceEnd {
  readonly unit: string;
  /** systemd's word: `success`, `exit-code`, `signal`, `core-dump`, `oom-kill`, `timeout`, `watchdog`. */
  readonly result: string;
  /** CLD_* of siginfo (waitid(2)): 1 exited, 2 killed, 3 dumped. */
  readonly code: number;
  /** Exit status, or the signal's number. */
  readonly status: number;
  /** As systemd writes it; empty when not known. */
  readonly at: string;
}

const Words = z.union([
  z.string(),
  z.array(z.number()).transform((bytes) => new TextDecoder().decode(Uint8Array.from(bytes))),
]);
/** Of systemd.journal-fields(7); what is no text there is an array of bytes. */
const JournalEntry = z.object({
  __REALTIME_TIMESTAMP: z.string().optional(),
  _SYSTEMD_UNIT: Words.optional(),
  _CMDLINE: Words.optional(),
  MESSAGE: Words.optional(),
  UNIT: Words.optional(),
  EXIT_CODE: z.string().optional(),
  EXIT_STATUS: z.string().optional(),
  COREDUMP_UNIT: Words.optional(),
  COREDUMP_CMDLINE: Words.optional(),
  COREDUMP_SIGNAL_NAME: Words.optional(),
  COREDUMP_TIMESTAMP: z.string().optional(),
  COREDUMP_FILENAME: Words.optional(),
});

const entriesOf = (lines: readonly string[], label: string): z.infer<typeof JournalEntry>[] =>
  lines
    .filter((each) => each.startsWith(`${label} {`))
    .flatMap((line) => {
      try {
        return JournalEntry.safeParse(JSON.parse(line.slice(label.length + 1))).data ?? [];
      } catch {
        return [];
      }
    });

const entryOf = (lines: readonly string[], label: string): z.infer<typeof JournalEntry> | null =>
  entriesOf(lines, label).at(-1) ?? null;

const CODES = ['', 'exited', 'killed', 'dumped'];

const secondsOf = (micros: string | undefined): number | null => {
  const number = Number(micros);
  return Number.isFinite(number) && number > 0 ? number / 1_000_000 : null;
};

/** The last end of a unit's main process in systemd's own words (log_unit_process_exit of its src/core/unit.c). */
const exitedOf = (lines: readonly string[]): EndFacts['exited'] => {
  const entry = entriesOf(lines, 'exited').findLast(({ MESSAGE = '' }) => /: Main process exited/.test(MESSAGE));
  const code = CODES.indexOf(entry?.EXIT_CODE ?? '');
  if (entry === undefined || code < 1) return null;
  return {
    unit: entry.UNIT ?? '',
    code,
    status: Number(entry.EXIT_STATUS) || 0,
    time: secondsOf(entry.__REALTIME_TIMESTAMP),
  };
};

const serviceOf = (lines: readonly string[], pid: number): { mine: ServiceEnd | null; unit: string | null } => {
  let now = new Map<string, string>();
  let unit: string | null = null;
  for (const line of lines) {
    if (!line.startsWith('service ')) continue;
    const text = line.slice(8);
    if (text !== 'end') {
      const equals = text.indexOf('=');
      if (equals > 0) now.set(text.slice(0, equals), text.slice(equals + 1));
      continue;
    }
    const id = now.get('Id') ?? '';
    if (now.get('ExecMainPID') === String(pid)) {
      unit = id;
      const ended = now.get('ExecMainCode') ?? '0';
      const mine = {
        unit: id,
        result: now.get('Result') ?? '',
        code: Number(ended) || 0,
        status: Number(now.get('ExecMainStatus')) || 0,
        at: now.get('ExecMainExitTimestamp') ?? '',
      };
      // A main process that runs has no code yet.
      return { mine: mine.code === 0 ? null : mine, unit };
    }
    now = new Map();
  }
  return { mine: null, unit };
};

/** The name of a core by core(5)'s pattern for this process; `%` specifiers other than its id may be anything. */
const isCoreOf = (name: string, pattern: string, pid: number): boolean => {
  const base = pattern.split('/').at(-1) ?? '';
  const source = base
    .split(/(%.)/)
    .map((piece) =>
      /^%[pPiI]$/.test(piece)
        ? `${pid}`
        : /^%%$/.test(piece)
          ? '%'
          : /^%.$/.test(piece)
            ? '.*'
            : piece.replace(/[\\^$.|?*+()[\]{}]/g, '\\$&'),
    )
    .join('');
  // More than a few open places would cost more than the name is worth.
  return source.split('.*').length <= 8 && new RegExp(`^${source}$`).test(name.slice(0, 300));
};

/** Reads what end.sh printed. Never throws; what is not there is null. */
export const parseEnd = (stdout: Uint8Array, pid: number): EndFacts => {
  const lines = new TextDecoder('utf-8', { fatal: false }).decode(stdout).split('\n');
  const said = entryOf(lines, 'said');
  const dumped = entryOf(lines, 'dumped');
  const { mine, unit } = serviceOf(lines, pid);
  const pattern = lines.find((line) => line.startsWith('pattern '))?.slice(8) ?? '';
  const file = lines
    .filter((line) => line.startsWith('core '))
    .map((line) => line.slice(5))
    .find((name) => isCoreOf(name, pattern, pid));
  return {
    unit: unit ?? dumped?.COREDUMP_UNIT ?? said?._SYSTEMD_UNIT ?? null,
    command: dumped?.COREDUMP_CMDLINE ?? said?._CMDLINE ?? null,
    service: mine,
    exited: exitedOf(lines),
    core:
      dumped !== null
        ? {
            signal: dumped.COREDUMP_SIGNAL_NAME ?? null,
            time: secondsOf(dumped.COREDUMP_TIMESTAMP ?? dumped.__REALTIME_TIMESTAMP),
            file: dumped.COREDUMP_FILENAME ?? null,
          }
        : file === undefined
          ? null
          : { signal: null, time: null, file: `${pattern.slice(0, pattern.lastIndexOf('/'))}/${file}` },
  };
};
