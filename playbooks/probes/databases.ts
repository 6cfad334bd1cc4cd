import { z } from 'zod';
import {
  defineProbe,
  type Evidence,
  evidenceLines,
  LineNumber,
  type Parsed,
  type StepContext,
} from '../model/index.ts';

export const DatabaseServer = z.object({
  pid: z.number().int(),
  /** The server that it belongs to: all processes of one have the same. */
  server: z.number().int(),
  state: z.string(),
  /** Seconds since the connection was made. */
  ageSeconds: z.number(),
  user: z.string(),
  database: z.string(),
  /** `[local]`, or `127.0.0.1(45678)`: address and port of the client. */
  host: z.string(),
  /** What it does, `UPDATE waiting`, `idle in transaction`, as its title says at the end of the window. */
  activity: z.string(),
  /** It did the same at the beginning of the window. */
  steady: z.boolean(),
  /** The process at the other end, when somebody waits and it is on this host. */
  client: z.object({ pid: z.number().int(), fd: z.number().int(), command: z.string(), at: LineNumber }).nullable(),
  at: LineNumber,
});
export type DatabaseServer = z.infer<typeof DatabaseServer>;
export const DatabasesData = z.object({ servers: z.array(DatabaseServer) });
export type DatabasesData = z.infer<typeof DatabasesData>;

const SERVER =
  /^server: (\d{1,9}) of (\d{1,9}), state (\S), (\d{1,12}) s old, user (\S+), database (\S+), host (\S+), does (.*), (same before|before .*)$/;
const CLIENT = /^client: of (\d{1,9}) is (\d{1,9}) on descriptor (\d{1,9}), command (.*)$/;

const parse = (evidence: Evidence, step: StepContext): Parsed<DatabasesData> => {
  const lines = evidenceLines(evidence);
  if (lines[0] !== 'databases 1')
    return { ok: false, reason: 'not-parsable', why: 'the list of database servers does not begin' };
  const servers: DatabaseServer[] = [];
  const partly: string[] = [];
  for (const [index, line] of lines.entries()) {
    const at = index + 1;
    const gone = /^gone: (.*)$/.exec(line)?.[1];
    if (gone !== undefined)
      return { ok: false, reason: 'target-gone', why: gone || `there is no process ${step.target.pid}` };
    if (line.startsWith('not readable: ')) partly.push(line);
    const [, pid, server, state = '?', age, user = '', database = '', host = '', activity = '', before] =
      SERVER.exec(line) ?? [];
    if (pid !== undefined) {
      servers.push({
        pid: Number(pid),
        server: Number(server),
        state,
        ageSeconds: Number(age),
        user,
        database,
        host,
        activity,
        steady: before === 'same before',
        client: null,
        at,
      });
    }
    const client = CLIENT.exec(line);
    const of = servers.find((each) => each.pid === Number(client?.[1]));
    if (client !== null && of !== undefined)
      of.client = { pid: Number(client[2]), fd: Number(client[3]), command: client[4] ?? '', at };
  }
  if (!lines.includes('end')) partly.push('the list of database servers breaks off');
  return { ok: true, data: { servers }, partly };
};

/**
 * The processes by which PostgreSQL servers of this host serve their clients, with what their titles say that they do, at both
 * ends of the window; and, when one of them waits for a lock, which process each one's client is. Nothing is connected to.
 */
export const databases = defineProbe<DatabasesData>({
  id: 'databases',
  title: 'Database servers of the host and who waits in them',
  phase: 2,
  impacts: ['none'],
  ptraces: false,
  needs: { python: true, privilege: 'none' },
  limits: { seconds: ({ windowSeconds }) => windowSeconds + 10, bytes: 1_000_000, endWith: 'TERM' },
  options: z.strictObject({}),
  data: DatabasesData,
  command: ({ target, windowSeconds, known }) => ({
    argv: [
      known?.python ?? 'python3',
      '-I',
      '-S',
      '-B',
      '{script:databases.py}',
      String(target.pid),
      target.startTime,
      String(windowSeconds),
    ],
    scripts: ['databases.py', 'proc_files.py'],
  }),
  parse,
});
