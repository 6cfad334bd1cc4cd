import { parseArgs } from 'node:util';
import { z } from 'zod';
import { HostName, Impact, readSelector, Selector, UnitId } from '../../playbooks/model/index.ts';
import { Language } from '../../playbooks/words/index.ts';

/** Wrong usage of the command line; `message` is the one sentence for standard error. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UsageError';
  }
}

const Port = z.coerce.number().int().min(1).max(65_535);

/** How a host is reached when the command line says so instead of the inventory. */
export const Reach = z.object({
  transport: z.enum(['node-ssh', 'openssh']).optional(),
  user: z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?$/, 'is not a user name')
    .optional(),
  port: Port.optional(),
  identityFile: z.string().min(1).optional(),
  knownHostsFile: z.string().min(1).optional(),
  jump: HostName.optional(),
});
export type Reach = z.infer<typeof Reach>;

export const DiagnoseArguments = z.object({
  host: HostName,
  selector: Selector,
  playbook: UnitId,
  windowSeconds: z.number().min(0.5).max(60).optional(),
  json: z.boolean(),
  allow: z.array(Impact),
  out: z.string().min(1).optional(),
  /** Of the report; the site's when absent. */
  language: Language.optional(),
  config: z.string().optional(),
  reach: Reach,
});
export type DiagnoseArguments = z.infer<typeof DiagnoseArguments>;

export const DoctorArguments = z.object({
  host: HostName,
  json: z.boolean(),
  config: z.string().optional(),
  reach: Reach,
});
export type DoctorArguments = z.infer<typeof DoctorArguments>;

const REACH_OPTIONS = {
  transport: { type: 'string' },
  user: { type: 'string' },
  port: { type: 'string' },
  identity: { type: 'string' },
  'known-hosts': { type: 'string' },
  jump: { type: 'string' },
  config: { type: 'string' },
  json: { type: 'boolean', default: false },
} as const;

const DIAGNOSE_USAGE =
  'straceback diagnose HOST PID|SELECTOR [--playbook P] [--window SECONDS] [--json] [--allow stops,writes-disk] [--out FOLDER] [--lang en|zh] [--transport openssh] [--user U] [--port N] [--identity FILE] [--known-hosts FILE] [--jump HOST] [--config FILE]';
const DOCTOR_USAGE =
  'straceback doctor HOST [--json] [--transport openssh] [--user U] [--port N] [--identity FILE] [--known-hosts FILE] [--jump HOST] [--config FILE]';

/** The usage lines, for help. */
export const USAGE = { diagnose: DIAGNOSE_USAGE, doctor: DOCTOR_USAGE };

const usage = (problem: string, line: string): UsageError => new UsageError(`${problem} Usage: ${line}`);

const check = <T>(schema: z.ZodType<T>, value: unknown, what: string, line: string): T => {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const shown = typeof value === 'string' ? ` "${value.replace(/\p{C}/gu, '?').slice(0, 80)}"` : '';
  throw usage(`${what}${shown} is not valid: ${parsed.error.issues[0]?.message ?? 'refused'}.`, line);
};

const split = <Options extends NonNullable<Parameters<typeof parseArgs>[0]>['options']>(
  words: readonly string[],
  options: Options,
  line: string,
) => {
  try {
    return parseArgs({ args: [...words], options, allowPositionals: true, strict: true });
  } catch (error) {
    throw usage(`${error instanceof Error ? error.message.split('. ')[0] : String(error)}.`, line);
  }
};

type ReachValues = {
  transport?: string;
  user?: string;
  port?: string;
  identity?: string;
  'known-hosts'?: string;
  jump?: string;
};

const readReach = (values: ReachValues, line: string): Reach => ({
  transport: check(Reach.shape.transport, values.transport, '--transport', line),
  user: check(Reach.shape.user, values.user, '--user', line),
  port: values.port === undefined ? undefined : check(Port, values.port, '--port', line),
  identityFile: check(Reach.shape.identityFile, values.identity, '--identity', line),
  knownHostsFile: check(Reach.shape.knownHostsFile, values['known-hosts'], '--known-hosts', line),
  jump: check(Reach.shape.jump, values.jump, '--jump', line),
});

/** Reads the words after `diagnose`. Throws UsageError. */
export const readDiagnoseArguments = (words: readonly string[]): DiagnoseArguments => {
  const { values, positionals } = split(
    words,
    {
      ...REACH_OPTIONS,
      playbook: { type: 'string', default: 'triage' },
      window: { type: 'string' },
      allow: { type: 'string', default: '' },
      out: { type: 'string' },
      lang: { type: 'string' },
    },
    DIAGNOSE_USAGE,
  );
  const [host, process, ...rest] = positionals;
  if (host === undefined || process === undefined || rest.length > 0) {
    throw usage(
      rest.length > 0
        ? `"${rest[0]}" is one word too many.`
        : 'A host and a pid are needed (or unit:NAME, name:PATTERN, port:N, container:ID, pod:NAMESPACE/NAME, top:cpu|rss|fds).',
      DIAGNOSE_USAGE,
    );
  }
  const selector = readSelector(process);
  if (typeof selector === 'string')
    throw usage(`"${process.replace(/\p{C}/gu, '?').slice(0, 80)}" names no process: ${selector}.`, DIAGNOSE_USAGE);
  const window = values.window;
  return {
    host: check(HostName, host, 'The host', DIAGNOSE_USAGE),
    selector,
    playbook: check(UnitId, values.playbook, '--playbook', DIAGNOSE_USAGE),
    windowSeconds:
      window === undefined
        ? undefined
        : check(
            z.number('seconds from 0.5 to 60 are expected').min(0.5).max(60),
            Number(window),
            `--window ${window}`,
            DIAGNOSE_USAGE,
          ),
    json: values.json,
    allow: values.allow
      .split(',')
      .filter((word) => word !== '')
      .map((word) => check(Impact, word, '--allow', DIAGNOSE_USAGE)),
    out: values.out,
    language: check(Language.optional(), values.lang, '--lang', DIAGNOSE_USAGE),
    config: values.config,
    reach: readReach(values, DIAGNOSE_USAGE),
  };
};

/** Reads the words after `doctor`. Throws UsageError. */
export const readDoctorArguments = (words: readonly string[]): DoctorArguments => {
  const { values, positionals } = split(words, REACH_OPTIONS, DOCTOR_USAGE);
  const [host, ...rest] = positionals;
  if (host === undefined || rest.length > 0) throw usage('One host is needed.', DOCTOR_USAGE);
  return {
    host: check(HostName, host, 'The host', DOCTOR_USAGE),
    json: values.json,
    config: values.config,
    reach: readReach(values, DOCTOR_USAGE),
  };
};
