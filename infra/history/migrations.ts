import { type Kysely, type Migration, sql } from 'kysely';
import { SCHEMA } from './schema.ts';

const now = sql`now()`;

/** Tables of the first version. A migration is never changed once it was released; what comes later is another one. */
const first: Migration = {
  up: async (db: Kysely<unknown>) => {
    const { schema } = db.withSchema(SCHEMA);
    await schema
      .createTable('looks')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('host', 'text', (column) => column.notNull())
      .addColumn('pid', 'integer', (column) => column.notNull())
      .addColumn('playbook', 'text', (column) => column.notNull())
      .addColumn('team', 'text', (column) => column.notNull())
      .addColumn('channel', 'text', (column) => column.notNull())
      .addColumn('thread_ts', 'text', (column) => column.notNull())
      .addColumn('user_id', 'text', (column) => column.notNull())
      .addColumn('via', 'text', (column) => column.notNull())
      .addColumn('requested_at', 'timestamptz', (column) => column.notNull())
      .addColumn('kept_at', 'timestamptz', (column) => column.notNull().defaultTo(now))
      .addColumn('state', 'text', (column) => column.notNull())
      .addColumn('cause', 'text')
      .addColumn('confidence', 'double precision')
      .addColumn('headline', 'text', (column) => column.notNull())
      .addColumn('unit', 'text')
      .addColumn('service', 'text', (column) => column.notNull())
      .addColumn('request', 'jsonb', (column) => column.notNull())
      .addColumn('report', 'jsonb')
      .addColumn('failure', 'jsonb')
      .execute();
    await schema.createIndex('looks_by_time').on('looks').columns(['requested_at', 'id']).execute();
    await schema.createIndex('looks_by_host').on('looks').columns(['host', 'requested_at']).execute();
    await schema.createIndex('looks_by_thread').on('looks').columns(['channel', 'thread_ts']).execute();
    await schema
      .createTable('findings')
      .addColumn('look_id', 'text', (column) => column.notNull().references('looks.id').onDelete('cascade'))
      .addColumn('position', 'integer', (column) => column.notNull())
      .addColumn('cause', 'text', (column) => column.notNull())
      .addColumn('confidence', 'double precision', (column) => column.notNull())
      .addColumn('title', 'text', (column) => column.notNull())
      .addColumn('service', 'text', (column) => column.notNull())
      .addColumn('place', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('findings_key', ['look_id', 'position'])
      .execute();
    await schema.createIndex('findings_alike').on('findings').columns(['cause', 'service', 'place']).execute();
    await schema
      .createTable('evidence')
      .addColumn('look_id', 'text', (column) => column.notNull().references('looks.id').onDelete('cascade'))
      .addColumn('position', 'integer', (column) => column.notNull())
      .addColumn('evidence_id', 'text', (column) => column.notNull())
      .addColumn('name', 'text', (column) => column.notNull())
      .addColumn('bytes', 'integer', (column) => column.notNull())
      .addColumn('truncated', 'boolean', (column) => column.notNull())
      .addColumn('sha256', 'text')
      .addColumn('content', 'bytea')
      .addColumn('kept_at', 'timestamptz', (column) => column.notNull().defaultTo(now))
      .addPrimaryKeyConstraint('evidence_key', ['look_id', 'position'])
      .execute();
    await schema.createIndex('evidence_by_time').on('evidence').column('kept_at').execute();
    const aboutThread = (table: string) =>
      schema
        .createTable(table)
        .addColumn('id', 'text', (column) => column.primaryKey())
        .addColumn('channel', 'text', (column) => column.notNull())
        .addColumn('thread_ts', 'text', (column) => column.notNull())
        .addColumn('at', 'timestamptz', (column) => column.notNull());
    await aboutThread('feedback')
      .addColumn('look_id', 'text', (column) => column.notNull())
      .addColumn('user_id', 'text', (column) => column.notNull())
      .addColumn('cause', 'text', (column) => column.notNull())
      .addColumn('words', 'text')
      .execute();
    await aboutThread('resolutions')
      .addColumn('user_id', 'text', (column) => column.notNull())
      .addColumn('note', 'text')
      .execute();
    await aboutThread('verifications')
      .addColumn('before_id', 'text', (column) => column.notNull())
      .addColumn('after_id', 'text', (column) => column.notNull())
      .addColumn('verdict', 'text', (column) => column.notNull())
      .addColumn('title', 'text', (column) => column.notNull())
      .execute();
    for (const table of ['feedback', 'resolutions', 'verifications']) {
      await schema.createIndex(`${table}_by_thread`).on(table).columns(['channel', 'thread_ts']).execute();
    }
    await schema
      .createTable('approvals')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('look_id', 'text', (column) => column.notNull())
      .addColumn('at', 'timestamptz', (column) => column.notNull())
      .addColumn('event', 'text', (column) => column.notNull())
      .addColumn('user_id', 'text', (column) => column.notNull())
      .addColumn('host', 'text', (column) => column.notNull())
      .addColumn('pid', 'integer')
      .addColumn('playbook', 'text')
      .addColumn('outcome', 'text', (column) => column.notNull())
      .execute();
    await schema.createIndex('approvals_by_look').on('approvals').column('look_id').execute();
    await schema
      .createTable('audit')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('at', 'timestamptz', (column) => column.notNull())
      .addColumn('event', 'text', (column) => column.notNull())
      .addColumn('machine', 'text', (column) => column.notNull())
      .addColumn('look_id', 'text')
      .addColumn('host', 'text')
      .addColumn('user_id', 'text')
      .addColumn('line', 'jsonb', (column) => column.notNull())
      .execute();
    await schema.createIndex('audit_by_time').on('audit').column('at').execute();
    await schema.createIndex('audit_by_look').on('audit').column('look_id').execute();
    await schema
      .createTable('channels')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('private', 'boolean', (column) => column.notNull())
      .addColumn('checked_at', 'timestamptz', (column) => column.notNull().defaultTo(now))
      .execute();
  },
};

/** All migrations by name, in the order of their names. */
export const MIGRATIONS: Readonly<Record<string, Migration>> = { '0001-first': first };
