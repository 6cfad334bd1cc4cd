import { existsSync } from 'node:fs';
import path from 'node:path';
import { type AlertIntakeSettings, alertIntakeFaults, alertIntakeFrom } from './alert-intake.ts';
import { type AlertRouting, unknownAlertHosts } from './alert-routes.ts';
import { BadConfig, type ConfigFault, type ConfigSource, faultLines, placeIn } from './config-faults.ts';
import { ConfigFile } from './config-file.ts';
import { openHosts, type SiteHosts } from './config-hosts.ts';
import { NO_CONFIG, readConfigFile } from './config-read.ts';
import { soundPart } from './config-sound.ts';
import type { S3Place } from './evidence/far-store.ts';
import { type EvidenceFault, evidenceFrom } from './evidence-settings.ts';
import { type BoardConfig, boardFrom, type HealthSettings } from './health/settings.ts';
import type { HistoryConfig } from './history/settings.ts';
import type { Inventory } from './hosts/inventory.ts';
import type { HostLookup } from './hosts.ts';
import type { LanguageSetting } from './language.ts';
import type { PolicySettings } from './policy.ts';
import type { RedisPlace } from './queue/place.ts';
import { type RedisFault, redisFrom } from './redis-settings.ts';
import { type TracingConfig, tracingFrom } from './tracing/settings.ts';

export { BadConfig } from './config-faults.ts';
export { hostFromCommandLine } from './config-hosts.ts';

/** The model with what the environment says of it. */
export type ModelConfig = NonNullable<ConfigFile['model']> & {
  readonly language: LanguageSetting;
  readonly apiKey: string;
  readonly baseUrl: string | undefined;
};

/** The whole configuration, file and environment together. */
export interface Config {
  readonly slack: ConfigFile['slack'] & {
    readonly botToken: string | undefined;
    readonly appToken: string | undefined;
    readonly signingSecret: string | undefined;
    readonly apiUrl: string | undefined;
  };
  /** Undefined: `up` starts its own. */
  readonly redis: RedisPlace | undefined;
  /** Undefined: nobody can ask how the program is. */
  readonly health: HealthSettings | undefined;
  /** Undefined: the queues are not shown. */
  readonly board: BoardConfig | undefined;
  /** Undefined: no traces. */
  readonly tracing: TracingConfig | undefined;
  readonly hosts: HostLookup;
  /** Hosts from elsewhere; `hosts` and `hostNames` have them once they have been read. */
  readonly inventory: Inventory;
  /** Names of hosts as they are known now, for people who mistype one. */
  readonly hostNames: readonly string[];
  /** Rules by which further names are reached: `web-*`. */
  readonly hostPatterns: readonly string[];
  readonly playbooksFolder: string | undefined;
  readonly policy: PolicySettings;
  readonly audit: { readonly folder: string };
  /** Undefined: none is kept. */
  readonly history: HistoryConfig | undefined;
  /** The bucket that evidence is kept in; undefined: Redis keeps it. */
  readonly evidence: S3Place | undefined;
  readonly worker: { readonly concurrency: number };
  readonly alerts: AlertRouting;
  /** Undefined: nothing listens for alerts. */
  readonly alertIntake: AlertIntakeSettings | undefined;
  readonly dataFolder: string;
  readonly redaction: ConfigFile['redaction'];
  readonly language: LanguageSetting;
  /** Undefined: reports stand as the rules wrote them. */
  readonly model: ModelConfig | undefined;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
}

type Environment = Readonly<Record<string, string | undefined>>;

/** A server that needs no key (one of the site's own) is given a word in its place. */
const modelOf = ({ model, language }: ConfigFile, env: Environment, faults: ConfigFault[]): ModelConfig | undefined => {
  if (model === undefined) return undefined;
  const { OPENAI_API_KEY: key, OPENAI_BASE_URL: baseUrl } = env;
  if ((key === undefined || key === '') && baseUrl === undefined)
    faults.push({ path: ['model'], message: 'OPENAI_API_KEY is not set; set it, or take the model out' });
  return { ...model, language, apiKey: key === undefined || key === '' ? 'none' : key, baseUrl };
};

/** Where history is: in the database of DATABASE_URL, else in the data folder. */
const historyOf = (
  { keep, ...times }: ConfigFile['history'],
  env: Environment,
  folder: string,
  faults: ConfigFault[],
): HistoryConfig | undefined => {
  if (!keep) return undefined;
  const { DATABASE_URL: url } = env;
  if (url === undefined || url === '') return { place: { folder }, ...times };
  if (!/^postgres(?:ql)?:\/\/./.test(url))
    faults.push({
      message: 'DATABASE_URL is no address of a PostgreSQL: postgresql://USER:PASSWORD@HOST:PORT/DATABASE',
    });
  return { place: { url }, ...times };
};

/** What hosts alerts may name: those that are known, and those that have faults of their own, which are told already. */
const alertHostKnown =
  (data: ConfigFile, { known, inventory }: SiteHosts) =>
  (name: string): boolean => {
    // Hosts of an inventory are not read yet.
    if (inventory.any || data.hosts.some((host) => host.name === name)) return true;
    try {
      return known(name) !== undefined;
    } catch (error) {
      if (error instanceof BadConfig) return true;
      throw error;
    }
  };

/** A configuration as far as it can be used, and everything that is wrong with it. */
export interface ExaminedConfig {
  readonly config: Config;
  /** What the file says, without what is wrong in it. */
  readonly data: ConfigFile;
  readonly hosts: SiteHosts;
  readonly source: ConfigSource;
  readonly faults: readonly ConfigFault[];
  /** Faults that are lines already: the file could not be read at all. */
  readonly unread: readonly string[];
  /** Folder that relative paths are taken from. */
  readonly base: string;
  /** The path in the file of something in `data`. */
  readonly restored: (path: readonly PropertyKey[]) => readonly PropertyKey[];
}

/** Reads the configuration as `readConfig` does, and keeps on where something is wrong. Throws nothing. */
export const examineConfig = (given?: string, env: Environment = process.env): ExaminedConfig => {
  const file = given ?? env.STRACEBACK_CONFIG ?? (existsSync('straceback.yaml') ? 'straceback.yaml' : undefined);
  const { read, faults: unread } = file === undefined ? { read: NO_CONFIG, faults: [] } : readConfigFile(file);
  const { data, faults: schemaFaults, restored, explains } = soundPart(ConfigFile, read.value);
  const source: ConfigSource = { file, value: read.value, lineOf: (at) => read.lineOfKey(at) };
  const base = file === undefined ? '.' : path.dirname(file);
  const later: ConfigFault[] = [];
  const ofEnvironment: ConfigFault[] = [];
  const within = (key: string, found: readonly ConfigFault[]) =>
    later.push(...found.map((fault) => ({ ...fault, path: [key, ...(fault.path ?? [])] })));

  // Several folders are separated by colons; the first is the one of the unit itself.
  const [ofUnit] = env.STATE_DIRECTORY?.split(':') ?? [];
  const dataFolder = path.resolve(base, data.dataFolder ?? (ofUnit || '.straceback'));
  const hosts = openHosts(data, base, env);
  later.push(...hosts.faults);
  within('alerts', [...alertIntakeFaults(data.alerts), ...unknownAlertHosts(data.alerts, alertHostKnown(data, hosts))]);
  const board = boardFrom(data.board, env.STRACEBACK_BOARD_PASSWORD, (message) =>
    ofEnvironment.push({ path: ['board'], message }),
  );
  const redisFaults: RedisFault[] = [];
  const redis = redisFrom(data.redis, env, base, redisFaults);
  within('redis', redisFaults);
  const evidenceFaults: EvidenceFault[] = [];
  const evidence = evidenceFrom(data.evidence, env, base, evidenceFaults);
  within('evidence', evidenceFaults);
  const history = historyOf(data.history, env, path.join(dataFolder, 'history'), ofEnvironment);
  const model = modelOf(data, env, ofEnvironment);
  const placeOf = (at: readonly PropertyKey[]): string => placeIn(source, restored(at));

  const config: Config = {
    slack: {
      ...data.slack,
      botToken: env.SLACK_BOT_TOKEN,
      appToken: env.SLACK_APP_TOKEN,
      signingSecret: env.SLACK_SIGNING_SECRET,
      apiUrl: env.SLACK_API_URL,
    },
    redis,
    health: data.health,
    board,
    tracing: tracingFrom(data.tracing, env),
    hosts: hosts.known,
    inventory: hosts.inventory,
    get hostNames() {
      return [...new Set(['local', ...hosts.listed.map((host) => host.name), ...hosts.inventory.names()])];
    },
    hostPatterns: data.hostRules.map(({ match }) => match),
    playbooksFolder: data.playbooks === undefined ? undefined : path.resolve(base, data.playbooks),
    policy: data.policy,
    audit: { folder: path.resolve(base, data.audit.folder ?? path.join(dataFolder, 'audit')) },
    history,
    evidence,
    worker: data.worker,
    alerts: {
      ...data.alerts,
      defaultChannel: data.alerts.defaultChannel,
      routes: data.alerts.routes.map((route, index) => ({ ...route, at: placeOf(['alerts', 'routes', index]) })),
    },
    alertIntake: alertIntakeFrom(data.alerts, env, (at) => placeOf(['alerts', ...at])),
    dataFolder,
    redaction: data.redaction,
    language: data.language,
    model,
    logLevel: data.log.level,
  };
  const placed = later.map((fault) => ({ ...fault, path: fault.path && restored(fault.path) }));
  const certain = placed.filter((fault) => fault.path === undefined || !explains(fault.path));
  const faults = [...schemaFaults, ...certain, ...ofEnvironment];
  return { config, data, hosts, source, faults, unread, base, restored };
};

/**
 * Reads the configuration: the file named by `file`, else by STRACEBACK_CONFIG, else ./straceback.yaml when it is
 * there; tokens and addresses of services from the environment. Throws BadConfig with every fault at once.
 */
export const readConfig = (file?: string, env: Environment = process.env): Config => {
  const { config, source, faults, unread } = examineConfig(file, env);
  const lines = [...unread, ...(unread.length > 0 ? [] : faultLines(faults, source))];
  if (lines.length > 0) throw new BadConfig(lines);
  return config;
};
