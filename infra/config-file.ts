import { RE2JS } from 're2js';
import { z } from 'zod';
import { alertIntake } from './alert-intake.ts';
import { alertRouting } from './alert-routes.ts';
import { EvidenceSettings } from './evidence-settings.ts';
import { HostPattern } from './globs.ts';
import { BoardSettings, HealthSettings } from './health/settings.ts';
import { historySettings } from './history/settings.ts';
import { HostDefaults } from './hosts/fields.ts';
import { InventorySettings } from './hosts/inventory.ts';
import { LanguageSetting } from './language.ts';
import { PolicySettings } from './policy.ts';
import { QuestionBudget } from './question-budget.ts';
import { RedisSettings } from './redis-settings.ts';
import { TracingSettings } from './tracing/settings.ts';

/** How Slack is reached. */
export const Slack = z.strictObject({
  /** `socket` needs no address that Slack can reach; `http` is for sites that have one. */
  mode: z.enum(['socket', 'http']).default('socket'),
  /** Where HTTP mode listens. */
  port: z.number().int().min(1).max(65_535).default(3000),
});

/** A pattern of host names (`web-*`) that are reached by their DNS name with these settings. */
export const HostRule = HostDefaults.extend({
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
export const Redaction = z.strictObject({
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
export const ModelFile = z.strictObject({
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
export const ConfigFile = z.strictObject({
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
  /** Where raw evidence is kept in place of Redis. */
  evidence: EvidenceSettings.prefault({}),
  worker: z.strictObject({ concurrency: z.number().int().min(1).max(500).default(10) }).prefault({}),
  /** Folder on this machine for what the program keeps; `.straceback` beside the file, or what systemd gives (systemd.exec(5), StateDirectory=), when left out. */
  dataFolder: z.string().min(1).optional(),
  /** Where alerts come in and what is done with them. */
  alerts: z.strictObject({ ...alertIntake, ...alertRouting }).prefault({}),
  redaction: Redaction.prefault({}),
  /** Of findings, reports and a model's words. */
  language: LanguageSetting.default('reader'),
  model: ModelFile.optional(),
  log: z.strictObject({ level: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info') }).prefault({}),
});
export type ConfigFile = z.infer<typeof ConfigFile>;
