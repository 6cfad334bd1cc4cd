import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Audit, AuditEntry } from '../audit.ts';
import { type Log, withoutSecrets } from '../log.ts';
import type { Outbox } from '../queue/outbox.ts';
import type { KeptNote } from './rows.ts';

/** An audit log whose lines are handed to the history, too, once they are in its file. */
export const relayedAudit = (audit: Audit, side: AuditEntry['side'], hand: (entry: AuditEntry) => void): Audit => ({
  write: async (note, durable) => {
    await audit.write(note, durable);
    const { event, outcome, ...rest } = note;
    const said = outcome === undefined ? {} : { outcome: withoutSecrets(outcome).slice(0, 2_000) };
    hand({ at: new Date().toISOString(), event, side, machine: hostname(), ...rest, ...said });
  },
});

/** Puts lines where the bots find them; a worker knows no database. What cannot be put is in the file. */
export const handToOutbox =
  (outbox: Outbox, log: Log) =>
  (entry: AuditEntry): void => {
    const data: KeptNote = { kind: 'audit', entry };
    outbox
      .put({ id: randomUUID(), at: Date.now(), data })
      .catch((error: unknown) => log.debug({ error: String(error) }, 'a line of the audit log is in its file alone'));
  };
