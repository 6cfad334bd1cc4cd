import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { Report } from '../../playbooks/model/index.ts';
import { storable } from './clean.ts';
import type { Database } from './database.ts';

const unpack = promisify(gunzip);
/** As much as one file of evidence has before it is compressed, and some more. */
const MOST_BYTES = 64 * 1024 * 1024;

/** A look by its id, or all looks of a thread. */
export type Wanted =
  | { readonly kind: 'look'; readonly id: string }
  | { readonly kind: 'thread'; readonly channel: string; readonly threadTs: string };

/**
 * What somebody names: a look's id, `CHANNEL/TS`, or the link of a Slack message (`…/archives/C0123/p1700000000000100`, of a reply
 * with `?thread_ts=`).
 */
export const readWanted = (word: string): Wanted => {
  const link = /\/archives\/([A-Z0-9]+)\/p(\d+)(\d{6})(?:\?(?:[^#]*&)?thread_ts=(\d+\.\d+))?/.exec(word);
  if (link !== null) {
    const [, channel = '', seconds = '', rest = '', thread] = link;
    return { kind: 'thread', channel, threadTs: thread ?? `${seconds}.${rest}` };
  }
  const place = /^([A-Z][A-Z0-9]+)\/(\d+\.\d+)$/.exec(word);
  return place === null
    ? { kind: 'look', id: word }
    : { kind: 'thread', channel: place[1] ?? '', threadTs: place[2] ?? '' };
};

/** A name that stays in its folder, whatever was in it, and is no option of a program. */
const safeName = (name: string): string => {
  const plain = name
    .replace(/[^A-Za-z0-9._-]/g, '_')
    .replace(/^[.-]+/, '_')
    .slice(0, 120);
  return plain === '' ? '_' : plain;
};

interface Written {
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** Writes files that are not there yet into a folder, and remembers what it wrote. */
const writer = (folder: string) => {
  const written: Written[] = [];
  const taken = new Set<string>();
  return {
    written,
    write: async (wanted: string, content: string | Uint8Array): Promise<string> => {
      const bytes = Buffer.from(content);
      let file = wanted;
      for (let number = 2; taken.has(file.toLowerCase()); number += 1) file = `${number}-${wanted}`;
      taken.add(file.toLowerCase());
      // Never through a link that somebody put there, and never over what is there.
      await writeFile(path.join(folder, file), bytes, { flag: 'wx', mode: 0o600 });
      written.push({ file, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') });
      return file;
    },
  };
};

const exportLook = async (
  database: Database,
  id: string,
  folder: string,
  text: (report: Report) => string,
): Promise<void> => {
  await mkdir(folder, { mode: 0o700 });
  const { write, written } = writer(folder);
  const about = <Table extends 'feedback' | 'approvals' | 'audit'>(table: Table) =>
    database
      .selectFrom(table as 'feedback')
      .selectAll()
      .where('look_id', '=', id)
      .orderBy('at')
      .execute();
  const look = await database.selectFrom('looks').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
  const { report, ...rest } = look;
  const read = Report.safeParse(report);
  await write('look.json', `${JSON.stringify(rest, null, 2)}\n`);
  if (report !== null) await write('report.json', `${JSON.stringify(report, null, 2)}\n`);
  if (read.success) await write('report.txt', text(read.data));
  const thread = { channel: look.channel, thread_ts: look.thread_ts };
  const said = {
    feedback: await about('feedback'),
    approvals: await about('approvals'),
    resolutions: await database
      .selectFrom('resolutions')
      .selectAll()
      .where((where) => where.and(thread))
      .orderBy('at')
      .execute(),
    verifications: await database
      .selectFrom('verifications')
      .selectAll()
      .where((where) => where.or([where('before_id', '=', id), where('after_id', '=', id)]))
      .orderBy('at')
      .execute(),
    audit: await about('audit'),
  };
  await write('said.json', `${JSON.stringify(said, null, 2)}\n`);
  const positions = await database
    .selectFrom('evidence')
    .select('position')
    .where('look_id', '=', id)
    .orderBy('position')
    .execute();
  const missing: { name: string; why: string }[] = [];
  for (const { position } of positions) {
    // One at a time: together they may be large.
    const file = await database
      .selectFrom('evidence')
      .selectAll()
      .where('look_id', '=', id)
      .where('position', '=', position)
      .executeTakeFirstOrThrow();
    if (file.content === null) {
      missing.push({ name: file.name, why: file.sha256 === null ? 'it could not be kept' : 'its time is over' });
      continue;
    }
    const bytes = await unpack(file.content, { maxOutputLength: MOST_BYTES });
    await write(`evidence-${safeName(file.name)}`, bytes);
  }
  const manifest = {
    look: id,
    host: look.host,
    pid: look.pid,
    requestedAt: look.requested_at,
    files: written,
    missing,
  };
  await writeFile(path.join(folder, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`, {
    flag: 'wx',
    mode: 0o600,
  });
};

/** How many looks of a thread are exported at most. */
const MOST_LOOKS = 500;

/**
 * Writes looks into a folder, each into one of its own: what is known of it as JSON, the report, the evidence, and a manifest with
 * SHA-256 of each file. `text` puts a report into words. Returns the folders; none when there is no such look. Throws for a
 * folder that is there already (EEXIST) or cannot be written.
 */
export const exportLooks = async (
  database: Database,
  wanted: Wanted,
  to: string,
  text: (report: Report) => string,
): Promise<string[]> => {
  const rows = await database
    .selectFrom('looks')
    .select('id')
    .where((where) =>
      wanted.kind === 'look'
        ? where('id', '=', storable(wanted.id))
        : where.and({ channel: storable(wanted.channel), thread_ts: storable(wanted.threadTs) }),
    )
    .orderBy('requested_at')
    .limit(MOST_LOOKS)
    .execute();
  if (rows.length === 0) return [];
  await mkdir(to, { recursive: true, mode: 0o700 });
  const folders: string[] = [];
  for (const { id } of rows) {
    const folder = path.join(to, safeName(id));
    await exportLook(database, id, folder, text);
    folders.push(folder);
  }
  return folders;
};
