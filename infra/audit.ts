import { constants } from 'node:fs';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import { Impact } from '../playbooks/model/index.ts';
import { withoutSecrets } from './log.ts';

/** What is written down. `denied` is a refusal by the policy or by who may ask; `refused` one by a person. */
export const AuditEvent = z.enum([
  'requested',
  'sought',
  'denied',
  'approval-asked',
  'approved',
  'refused',
  'expired',
  'look-began',
  'step-began',
  'step-ended',
  'look-ended',
]);
export type AuditEvent = z.infer<typeof AuditEvent>;

/** One line of the log: who, what, where, when, and what came of it. Lines of one request share its id. */
export const AuditEntry = z.object({
  /** ISO 8601, UTC. */
  at: z.string(),
  event: AuditEvent,
  /** The side that wrote it, and on which machine. */
  side: z.enum(['bot', 'worker']),
  machine: z.string(),
  request: z.string().optional(),
  /** Slack's ids. */
  user: z.string().optional(),
  team: z.string().optional(),
  channel: z.string().optional(),
  /** How it was asked: command, follow-up, alert. */
  via: z.string().optional(),
  host: z.string().optional(),
  pid: z.number().optional(),
  startTime: z.string().optional(),
  playbook: z.string().optional(),
  probe: z.string().optional(),
  impacts: z.array(Impact).optional(),
  /** What came of it, in words. */
  outcome: z.string().optional(),
});
export type AuditEntry = z.infer<typeof AuditEntry>;

/** What a writer says; time, side and machine are added. */
export type AuditNote = Omit<AuditEntry, 'at' | 'side' | 'machine'>;

/** A line could not be written. `message` is a sentence for a person. */
export class AuditUnavailable extends Error {
  constructor(cause: unknown) {
    super('The audit log cannot be written on the machine that I run on (is its disk full, or its folder not mine?)', {
      cause,
    });
    this.name = 'AuditUnavailable';
  }
}

/** A log that lines are only ever added to. */
export interface Audit {
  /**
   * Writes one line. Resolves when the kernel has it; with `durable` when the disk has it. Throws AuditUnavailable.
   */
  readonly write: (note: AuditNote, durable?: 'durable') => Promise<void>;
}

/** Longer texts are cut: a line is written with one call, beside other processes that write to the same file. */
const MOST_OUTCOME = 2_000;

/** The file of a month: `2026-11.jsonl`. */
export const auditFile = (folder: string, at: string): string => path.join(folder, `${at.slice(0, 7)}.jsonl`);

/** Credentials out, and everything unprintable as an escape, so that a line is a line in every program. */
const clean = (value: string): string => withoutSecrets(value).slice(0, MOST_OUTCOME);

/** A text with everything that is not printed, or that turns a line around, as JSON writes it: `\u009b`. */
export const printable = (text: string): string =>
  text.replace(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

const asLine = (entry: AuditEntry): string =>
  printable(JSON.stringify(entry, (_key, value: unknown) => (typeof value === 'string' ? clean(value) : value)));

/** Whether the last line was cut short (by a full disk, whoever wrote it), so that the next one must begin a line of its own. */
const endsTorn = async (file: FileHandle): Promise<boolean> => {
  const { size } = await file.stat();
  if (size === 0) return false;
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1);
  return buffer[0] !== 0x0a;
};

const syncFolder = async (folder: string): Promise<void> => {
  const opened = await open(folder, 'r');
  try {
    await opened.sync();
  } finally {
    await opened.close();
  }
};

const { O_APPEND, O_CREAT, O_NOFOLLOW, O_RDWR } = constants;

/**
 * The audit log in a folder of this machine, one file a month. Several processes may write to it at once: each line is appended by
 * one write(2) to a file opened with O_APPEND, which the kernel does not mix with others (open(2)). Files are the owner's alone.
 * The file is opened anew for each line, so that one that was moved away is not written to any more.
 */
export const openAudit = (options: {
  readonly folder: string;
  readonly side: AuditEntry['side'];
  readonly now?: () => number;
}): Audit => {
  const { folder, side, now = Date.now } = options;
  const machine = hostname();
  return {
    write: async (note, durable) => {
      const at = new Date(now()).toISOString();
      const { event, ...rest } = note;
      const text = `${asLine({ at, event, side, machine, ...rest })}\n`;
      try {
        await mkdir(folder, { recursive: true, mode: 0o700 });
        const file = await open(auditFile(folder, at), O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW, 0o600);
        try {
          const line = Buffer.from((await endsTorn(file)) ? `\n${text}` : text);
          const { bytesWritten } = await file.write(line);
          if (bytesWritten < line.length)
            throw new Error(`only ${bytesWritten} of ${line.length} bytes could be written`);
          if (durable === 'durable') {
            await file.sync();
            // The first line of a file needs its name on the disk, too (fsync(2)).
            if ((await file.stat()).size === line.length) await syncFolder(folder);
          }
        } finally {
          await file.close();
        }
      } catch (error) {
        throw new AuditUnavailable(error);
      }
    },
  };
};

/** Keeps nothing: for tests, and for looks that nobody but the one at the terminal asks for. */
export const noAudit: Audit = { write: async () => {} };
