import { type Config, type ExaminedConfig, examineConfig } from '../config.ts';
import { faultLines } from '../config-faults.ts';
import { placeText } from '../evidence/s3-trouble.ts';
import { placeName } from '../queue/place.ts';
import { environmentFaults, SECRET_VARIABLES, type Side } from './environment.ts';
import { fileFaults } from './files.ts';
import { hostFaults } from './hosts.ts';
import { portFaults } from './ports.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** What other rooms know of the configuration: each answers with faults as lines that have their place in them. */
export interface Judges {
  readonly playbooks: (
    folder: string | undefined,
  ) => Promise<{ readonly ids: readonly string[]; readonly own: number; readonly faults: readonly string[] }>;
  readonly routes: (alerts: Config['alerts'], playbooks: readonly { readonly id: string }[]) => readonly string[];
  readonly sources: (intake: NonNullable<Config['alertIntake']>) => Promise<readonly string[]>;
}

/** What the check found: faults, a line each, and otherwise what is configured. */
export interface CheckedConfig {
  readonly faults: readonly string[];
  readonly summary: string;
}

const count = (number: number, one: string): string => `${number} ${one}${number === 1 ? '' : 's'}`;

/** Where the database is, without who reaches it how. */
const databaseOf = ({ history }: Config): string => {
  if (history === undefined) return 'no history';
  if ('folder' in history.place) return `history in ${history.place.folder}`;
  return `history in PostgreSQL on ${URL.canParse(history.place.url) ? new URL(history.place.url).host : 'DATABASE_URL'}`;
};

/** Where evidence is until the history has it. */
const evidenceOf = ({ evidence }: Config): string[] =>
  evidence === undefined ? [] : [`evidence in ${placeText(evidence)}`];

const summaryOf = (
  { config, hosts, source, data }: ExaminedConfig,
  playbooks: { own: number; ids: readonly string[] },
) => {
  const { alertIntake: intake, redis, model, policy, slack } = config;
  const fromElsewhere = hosts.inventory.names().length;
  const parts = [
    `${count(hosts.listed.length, 'host')}${hosts.inventory.any ? ` and ${fromElsewhere} of the inventory` : ''}`,
    ...(config.hostPatterns.length === 0 ? [] : [`host patterns ${config.hostPatterns.join(', ')}`]),
    `${count(playbooks.ids.length, 'playbook')}${playbooks.own === 0 ? '' : ` (${playbooks.own} of the site)`}`,
    `${count(policy.rules.length, 'rule')} of policy`,
    intake === undefined
      ? 'no alerts'
      : `alerts from ${[...intake.sources.keys()].join(', ')} by ${count(data.alerts.routes.length, 'route')}`,
    model === undefined ? 'no model' : `model ${model.name}`,
    redis === undefined ? 'a Redis of its own' : `Redis ${placeName(redis)}`,
    databaseOf(config),
    ...evidenceOf(config),
    `Slack by ${slack.mode === 'http' ? `HTTP on port ${slack.port}` : 'Socket Mode'}`,
  ];
  return `${source.file ?? 'No file, only the environment'}: fine. ${parts.join('; ')}.`;
};

/** Short values are words that stand anywhere. */
const SHORTEST_SECRET = 8;

/** Whatever a fault may quote, no secret of the environment leaves in it, and nothing that looks like a token of Slack's. */
const withoutSecrets =
  (env: Environment, more: readonly string[]) =>
  (line: string): string => {
    const values = [...SECRET_VARIABLES, ...more].flatMap((name) => env[name] ?? []);
    const masked = values.reduce(
      (text, value) => (value.length < SHORTEST_SECRET ? text : text.replaceAll(value, '[secret]')),
      line,
    );
    return masked.replace(/\b(?:xox[a-z]|xapp)-[A-Za-z0-9-]{6,}/g, '[secret]');
  };

/** Looks at everything that the configuration says, and does not stop at the first fault. Nothing is written or connected to. */
export const checkConfig = async (
  { file, side = 'up' }: { readonly file?: string | undefined; readonly side?: Side | undefined },
  judges: Judges,
  env: Environment = process.env,
): Promise<CheckedConfig> => {
  const examined = examineConfig(file, env);
  const { config, data, source, unread, restored } = examined;
  const mask = withoutSecrets(
    env,
    Object.values(data.alerts.sources).flatMap(({ secrets }) => secrets),
  );
  if (unread.length > 0) return { faults: unread.map(mask), summary: '' };
  const further = [
    ...portFaults(data),
    ...fileFaults(examined, side !== 'bot'),
    ...(await hostFaults(examined)),
    ...environmentFaults(data, env, side),
  ].map((fault) => ({ ...fault, path: fault.path && restored(fault.path) }));
  const playbooks = await judges.playbooks(config.playbooksFolder);
  const intake = side === 'worker' || config.alertIntake === undefined ? [] : await judges.sources(config.alertIntake);
  const lines = [
    ...faultLines([...examined.faults, ...further], source),
    ...judges.routes(
      config.alerts,
      playbooks.ids.map((id) => ({ id })),
    ),
    ...intake,
    ...playbooks.faults,
  ];
  return { faults: lines.map(mask), summary: summaryOf(examined, playbooks) };
};
