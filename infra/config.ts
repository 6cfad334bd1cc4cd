import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { RE2JS } from 're2js';
import { z } from 'zod';
import { readYaml, type YamlText } from '../playbooks/model/index.ts';
import { type AlertIntakeSettings, alertIntake, alertIntakeFaults, alertIntakeFrom } from './alert-intake.ts';
import { type AlertRouting, alertRouting, unknownAlertHosts } from './alert-routes.ts';
import { globMatch, HostPattern } from './globs.ts';
import { type BoardConfig, BoardSettings, boardFrom, HealthSettings } from './health/settings.ts';
import { type HistoryConfig, historySettings } from './history/settings.ts';
import { completeHost, personalDefaults, withoutUndefined } from './hosts/complete.ts';
import { HostDefaults } from './hosts/fields.ts';
import { type Inventory, InventorySettings, inSiteFolder, openInventory } from './hosts/inventory.ts';
import { HostList, type HostLookup, HostSettings, hostLookup } from './hosts.ts';
import { LanguageSetting } from './language.ts';
import { PolicySettings } from './policy.ts';
import { QuestionBudget } from './question-budget.ts';
import type { RedisPlace } from './queue/place.ts';
import { type RedisFault, RedisSettings, redisFrom } from './redis-settings.ts';
import { type TracingConfig, TracingSettings, tracingFrom } from './tracing/settings.ts';

/** The configuration cannot be used; `message` names every fault with file and line. */
export class BadConfig extends Error {
  constructor(faults: readonly string[]) {
    super(faults.join('\n'));
    this.name = 'BadConfig';
  }
}

const Slack = z.strictObject({
  /** `socket` needs no address that Slack can reach; `http` is for sites that have one. */
  mode: z.enum(['socket', 'http']).default('socket'),
  /** Where HTTP mode listens. */
  port: z.number().int().min(1).max(65_535).default(3000),
});

/** A pattern of host names (`web-*`) that are reached by their DNS name with these settings. */
const HostRule = HostDefaults.extend({
  match: HostPattern,
});

const isRe2 = (pattern: string): boolean => {
  try {
    RE2JS.compile(pattern);
    return true;
  } catch {
    return false;
  }
};

/** What the site knows to be secret beside what is secret everywhere, and what is not. */
const Redaction = z.strictObject({
  /** RE2's syntax, which no text can make slow. What matches goes; with a group, only the group. */
  patterns: z
    .array(
      z.string().min(1).max(1_000).refine(isRe2, 'is no regular expression of RE2 (no lookaround, no back-references)'),
    )
    .max(100)
    .default([]),
  /** Texts that stay whatever they look like, literally. */
  exempt: z.array(z.string().min(1).max(1_000)).max(1_000).default([]),
});

/** The model that puts reports into words. The key comes from OPENAI_API_KEY, another server's address from OPENAI_BASE_URL. */
const ModelFile = z.strictObject({
  name: z.string().min(1).max(200),
  /** The whole of one request. */
  timeoutSeconds: z.number().min(1).max(300).default(45),
  maxOutputTokens: z.number().int().min(200).max(16_000).default(2_000),
  /** Tokens, in and out together. */
  budget: z
    .strictObject({
      perLook: z.number().int().min(0).default(10_000),
      perDay: z.number().int().min(0).default(2_000_000),
      perChannelPerDay: z.number().int().min(0).default(500_000),
    })
    .prefault({}),
  /** What one question in a thread may take. */
  questions: QuestionBudget.prefault({}),
  /** What a million tokens cost, in US dollars; without it only tokens are told. */
  price: z.strictObject({ input: z.number().min(0), output: z.number().min(0) }).optional(),
});

/** What straceback.yaml may hold. Secrets are not among it: they come from the environment. */
const ConfigFile = z.strictObject({
  slack: Slack.prefault({}),
  hosts: z.array(z.record(z.string(), z.unknown())).default([]),
  hostRules: z.array(HostRule).default([]),
  hostDefaults: HostDefaults.prefault({}),
  inventory: InventorySettings.prefault({}),
  /** Folder with the site's own playbooks. */
  playbooks: z.string().min(1).optional(),
  policy: PolicySettings.prefault({}),
  /** Folder of the audit log on this machine; `audit` in the data folder when left out. */
  audit: z.strictObject({ folder: z.string().min(1).optional() }).prefault({}),
  health: HealthSettings.optional(),
  board: BoardSettings.optional(),
  tracing: TracingSettings.optional(),
  /** Where the queue is, when REDIS_URL alone does not say it. */
  redis: RedisSettings.prefault({}),
  /** What was found, kept for good; DATABASE_URL says where. */
  history: historySettings,
  worker: z.strictObject({ concurrency: z.number().int().min(1).max(500).default(10) }).prefault({}),
  /** Folder on this machine for Redis data when REDIS_URL is not set. */
  dataFolder: z.string().min(1).default('.straceback'),
  /** Where alerts come in and what is done with them. */
  alerts: z.strictObject({ ...alertIntake, ...alertRouting }).prefault({}),
  redaction: Redaction.prefault({}),
  /** Of findings, reports and a model's words. */
  language: LanguageSetting.default('reader'),
  model: ModelFile.optional(),
  log: z.strictObject({ level: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info') }).prefault({}),
});

/** The model with what the environment says of it. */
export type ModelConfig = z.infer<typeof ModelFile> & {
  readonly language: LanguageSetting;
  readonly apiKey: string;
  readonly baseUrl: string | undefined;
};

/** The whole configuration, file and environment together. */
export interface Config {
  readonly slack: z.infer<typeof Slack> & {
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
  readonly worker: { readonly concurrency: number };
  readonly alerts: AlertRouting;
  /** Undefined: nothing listens for alerts. */
  readonly alertIntake: AlertIntakeSettings | undefined;
  readonly dataFolder: string;
  readonly redaction: z.infer<typeof Redaction>;
  readonly language: LanguageSetting;
  /** Undefined: reports stand as the rules wrote them. */
  readonly model: ModelConfig | undefined;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
}

type Environment = Readonly<Record<string, string | undefined>>;

/** How to reach a host that no inventory has, as a terminal user asks for it: `--user`, `--port` and so on. */
export const hostFromCommandLine = (
  name: string,
  reach: z.infer<typeof HostDefaults>,
  env: Environment = process.env,
): HostSettings => {
  const personal = personalDefaults(env);
  if (reach.identityFile !== undefined) delete personal.agent;
  const parsed = HostSettings.safeParse(completeHost({ name, ...withoutUndefined(reach) }, {}, personal));
  if (!parsed.success) throw new BadConfig(parsed.error.issues.map((issue) => `${name}: ${issue.message}`));
  return parsed.data;
};

const readFile = (file: string): YamlText => {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new BadConfig([`${file}: cannot be read (${error instanceof Error ? error.message : String(error)})`]);
  }
  const read = readYaml(text);
  if ('faults' in read) throw new BadConfig(read.faults.map(({ line, reason }) => `${file}:${line}: ${reason}`));
  return { ...read, value: read.value ?? {} };
};

/** A server that needs no key (one of the site's own) is given a word in its place. */
const modelOf = (
  model: z.infer<typeof ModelFile> | undefined,
  language: LanguageSetting,
  env: Environment,
  say: (issue: { path: readonly PropertyKey[]; message: string }) => string,
): ModelConfig | undefined => {
  if (model === undefined) return undefined;
  const { OPENAI_API_KEY: key, OPENAI_BASE_URL: baseUrl } = env;
  if ((key === undefined || key === '') && baseUrl === undefined)
    throw new BadConfig([
      say({ path: ['model'], message: 'OPENAI_API_KEY is not set; set it, or take the model out' }),
    ]);
  return { ...model, language, apiKey: key === undefined || key === '' ? 'none' : key, baseUrl };
};

/** Where history is: in the database of DATABASE_URL, else in the data folder. */
const historyOf = (
  { keep, ...times }: z.infer<typeof historySettings>,
  env: Environment,
  folder: string,
): HistoryConfig | undefined => {
  if (!keep) return undefined;
  const { DATABASE_URL: url } = env;
  if (url === undefined || url === '') return { place: { folder }, ...times };
  if (!/^postgres(?:ql)?:\/\/./.test(url))
    throw new BadConfig(['DATABASE_URL is no address of a PostgreSQL: postgresql://USER:PASSWORD@HOST:PORT/DATABASE']);
  return { place: { url }, ...times };
};

/**
 * Reads the configuration: the file named by `file`, else by STRACEBACK_CONFIG, else ./straceback.yaml when it is
 * there; tokens and addresses of services from the environment. Throws BadConfig with every fault at once.
 */
export const readConfig = (file?: string, env: Environment = process.env): Config => {
  const named = file ?? env.STRACEBACK_CONFIG;
  const from = named ?? (existsSync('straceback.yaml') ? 'straceback.yaml' : undefined);
  const source = from === undefined ? { value: {}, lineOf: () => 1 } : readFile(from);
  const say = (issue: { path: readonly PropertyKey[]; message: string }) =>
    `${from ?? 'configuration'}:${source.lineOf(issue.path)}: ${issue.path.join('.') || 'file'}: ${issue.message}`;
  const parsed = ConfigFile.safeParse(source.value);
  if (!parsed.success) throw new BadConfig(parsed.error.issues.map(say));
  const { data } = parsed;
  const base = from === undefined ? '.' : path.dirname(from);
  const personal = personalDefaults(env);
  const complete = (own: Record<string, unknown>) => completeHost(own, data.hostDefaults, personal);
  const hosts = HostList.safeParse(data.hosts.map(complete));
  if (!hosts.success) {
    throw new BadConfig(
      hosts.error.issues.map((issue) => say({ path: ['hosts', ...issue.path], message: issue.message })),
    );
  }
  const listed = hostLookup(hosts.data);
  const ruleFor = (name: string): HostDefaults | undefined => {
    const rule = data.hostRules.find((each) => globMatch(each.match, name));
    if (rule === undefined) return undefined;
    const { match: _match, ...settings } = rule;
    return withoutUndefined(settings);
  };
  const byRule: HostLookup = (name) => {
    const rule = ruleFor(name);
    return rule && hostFromCommandLine(name, { ...withoutUndefined(data.hostDefaults), ...rule }, env);
  };
  const inventory = openInventory(inSiteFolder(data.inventory, base), (entry, isSshConfig) => {
    const site = { ...data.hostDefaults, ...(typeof entry.name === 'string' ? ruleFor(entry.name) : {}) };
    // How a host of an ssh_config is reached is said there.
    const said = isSshConfig ? { sudo: site.sudo, keepFolder: site.keepFolder, runner: site.runner } : site;
    return completeHost(entry, said, personal);
  });
  const known: HostLookup = (name) => listed(name) ?? inventory.lookup(name) ?? byRule(name);
  const alertFaults = [
    ...alertIntakeFaults(data.alerts),
    // Hosts of an inventory are not read yet.
    ...unknownAlertHosts(data.alerts, (name) => inventory.any || known(name) !== undefined),
  ];
  if (alertFaults.length > 0) {
    throw new BadConfig(alertFaults.map((fault) => say({ ...fault, path: ['alerts', ...fault.path] })));
  }
  const boardFaults: string[] = [];
  const board = boardFrom(data.board, env.STRACEBACK_BOARD_PASSWORD, (message) =>
    boardFaults.push(say({ path: ['board'], message })),
  );
  if (boardFaults.length > 0) throw new BadConfig(boardFaults);
  const redisFaults: RedisFault[] = [];
  const redis = redisFrom(data.redis, env, base, redisFaults);
  if (redisFaults.length > 0) {
    throw new BadConfig(redisFaults.map((fault) => say({ ...fault, path: ['redis', ...fault.path] })));
  }
  return {
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
    hosts: known,
    inventory,
    get hostNames() {
      return [...new Set(['local', ...hosts.data.map((host) => host.name), ...inventory.names()])];
    },
    hostPatterns: data.hostRules.map(({ match }) => match),
    playbooksFolder: data.playbooks === undefined ? undefined : path.resolve(base, data.playbooks),
    policy: data.policy,
    audit: { folder: path.resolve(base, data.audit.folder ?? path.join(data.dataFolder, 'audit')) },
    history: historyOf(data.history, env, path.resolve(base, data.dataFolder, 'history')),
    worker: data.worker,
    alerts: {
      ...data.alerts,
      defaultChannel: data.alerts.defaultChannel,
      routes: data.alerts.routes.map((route, index) => ({
        ...route,
        at: `${from ?? 'configuration'}:${source.lineOf(['alerts', 'routes', index])}`,
      })),
    },
    alertIntake: alertIntakeFrom(
      data.alerts,
      env,
      (at) => `${from ?? 'configuration'}:${source.lineOf(['alerts', ...at])}`,
    ),
    dataFolder: path.resolve(base, data.dataFolder),
    redaction: data.redaction,
    language: data.language,
    model: modelOf(data.model, data.language, env, say),
    logLevel: data.log.level,
  };
};
