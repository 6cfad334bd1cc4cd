#!/usr/bin/env node
import path from 'node:path';
import { dryRun, ROUTE_USAGE, readRouteArguments } from './bot/alerts/dry-run.ts';
import { routeFaults } from './bot/alerts/route.ts';
import { BotNotStarted } from './bot/not-started.ts';
import { AUDIT_USAGE, printAudit, readAuditArguments } from './infra/audit-command.ts';
import { BadConfig, type Config, readConfig } from './infra/config.ts';
import { CONFIG_USAGE, readConfigArguments, runConfigCheck } from './infra/config-check/command.ts';
import { EXPORT_USAGE, PURGE_USAGE } from './infra/history/usage.ts';
import { openLog } from './infra/log.ts';
import type { RedisAddress } from './infra/queue/place.ts';
import { RedisNotStarted } from './infra/queue/redis-not-started.ts';
import { stopSignal } from './infra/stop-signal.ts';
import { BadPlaybooks } from './playbooks/catalog.ts';
import { summaryOf } from './playbooks/harm.ts';
import { LookFailed } from './playbooks/model/index.ts';
import { HOST_KIT_USAGE, writeHostKit } from './workers/host-kit/write.ts';
import { examinePlaybooks, loadKnowledge } from './workers/knowledge.ts';
import { USAGE, UsageError } from './workers/terminal/arguments.ts';
import { diagnose, doctor } from './workers/terminal/commands.ts';

const HELP = `Straceback, a process doctor that lives in a chat channel.

  straceback bot [--config FILE]       the chat side: Slack and the queue
  straceback worker [--config FILE]    the host side: takes looks from the queue
  straceback up [--config FILE]        both on one machine; starts its own Redis when REDIS_URL is not set
  ${USAGE.diagnose}
  ${USAGE.doctor}
  straceback doctor slack [--json] [--config FILE]   tokens, scopes, channels, clock, and whether Slack takes what the bot posts
  ${CONFIG_USAGE}
  ${HOST_KIT_USAGE}
  ${AUDIT_USAGE}
  ${EXPORT_USAGE}
  ${PURGE_USAGE}
  ${ROUTE_USAGE}
  straceback sandbox [--once]          a local Slack, sshd and a few sick programs to try it on

Exit codes: 0 done, 2 wrong usage or configuration, 3 the host or process could not be reached or read.
`;

/** The longest that stopping may take: running looks are given half a minute to end. */
const LONGEST_STOP_MS = 60_000;

/** Where a command says what it has to say. */
const PRINT = {
  out: (text: string): void => void process.stdout.write(text),
  err: (text: string): void => void process.stderr.write(text),
};

/**
 * Runs bot, worker or both until a signal says stop. What only they need (Slack, Redis) is loaded here and not above, so
 * that a look from the terminal starts at once.
 */
const serve = async (
  words: readonly string[],
  sides: { bot: boolean; worker: boolean; ownRedis: boolean },
): Promise<number> => {
  const [option, file, ...rest] = words;
  if (
    (option !== undefined && option !== '--config') ||
    (option === '--config' && file === undefined) ||
    rest.length > 0
  ) {
    throw new UsageError(`"${words.join(' ')}" is not understood; only --config FILE is. ${HELP}`);
  }
  const config = readConfig(file);
  const log = openLog(config.logLevel);
  const stopped = stopSignal();
  const knowledge = await loadKnowledge(config.playbooksFolder, config.redaction);
  const faults = sides.bot ? routeFaults(config.alerts, { playbooks: [...knowledge.playbooks.values()] }) : [];
  if (faults.length > 0) throw new BadConfig(faults);
  const closers: (() => Promise<void>)[] = [];
  try {
    let redisUrl: RedisAddress | undefined = config.redis;
    if (redisUrl === undefined) {
      if (!sides.ownRedis)
        throw new BadConfig(['REDIS_URL is not set: give the address of the Redis that bot and workers share']);
      const { startRedis } = await import('./infra/queue/redis-server.ts');
      const redis = await startRedis({ folder: path.join(config.dataFolder, 'redis') });
      closers.unshift(redis.close);
      redisUrl = redis.url;
    }
    const { openSurroundings } = await import('./infra/attend.ts');
    const around = await openSurroundings(config, redisUrl, log);
    closers.unshift(around.close);
    const { counts, trace, telemetry, evidence } = around;
    closers.unshift((await config.inventory.keepFresh(log)).close);
    const { untilClusterAnswers } = await import('./infra/queue/cluster-start.ts');
    await untilClusterAnswers(redisUrl, log, stopped);
    if (stopped.aborted) return 0;
    if (sides.worker) {
      const { startWorker } = await import('./workers/worker.ts');
      const worker = startWorker({ config, redisUrl, knowledge, log, counts, trace, telemetry, evidence });
      closers.unshift(worker.close);
    }
    if (sides.bot) {
      const { startBotSide } = await import('./bot/side.ts');
      const bot = await startBotSide({
        config,
        redisUrl,
        playbooks: [...knowledge.playbooks.values()].map((playbook) => summaryOf(playbook, knowledge.probes)),
        causes: [...knowledge.causes.values()].map(({ id, title }) => ({ id, title })),
        around,
        log,
        signal: stopped,
      });
      if (bot === null) return 0;
      closers.unshift(bot.close);
    }
    around.parts.tell('start', { ok: true, why: 'It is up.' });
    log.info({ bot: sides.bot, worker: sides.worker }, 'straceback is up');
    if (!stopped.aborted) await new Promise((resolve) => stopped.addEventListener('abort', resolve, { once: true }));
    around.parts.tell('start', { ok: false, why: 'It is being stopped.' });
    log.info({}, 'stopping');
    return 0;
  } finally {
    // Whatever a connection may still wait for, the program ends.
    setTimeout(() => process.exit(1), LONGEST_STOP_MS).unref();
    for (const close of closers) await close();
  }
};

/** Says what would be done with an alert. */
const route = async (words: readonly string[]): Promise<number> => {
  const asked = readRouteArguments(words);
  if (typeof asked === 'string') throw new UsageError(asked);
  const config = readConfig(asked.config);
  const [{ loadAlertSources }, knowledge] = await Promise.all([
    import('./bot/registry.ts'),
    loadKnowledge(config.playbooksFolder, config.redaction),
  ]);
  const site = { playbooks: [...knowledge.playbooks.values()] };
  const faults = routeFaults(config.alerts, site);
  if (faults.length > 0) throw new BadConfig(faults);
  const said = await dryRun(process.stdin, asked.source, await loadAlertSources(), config.alerts, site);
  if ('why' in said) throw new UsageError(said.why);
  process.stdout.write(said.text);
  return 0;
};

const sandbox = async (words: readonly string[]): Promise<number> => {
  // Loaded only when asked for: it is for newcomers and brings a local Slack with it.
  const { runSandbox } = await import('./infra/sandbox/sandbox.ts');
  return runSandbox({ once: words.includes('--once'), entry: process.argv[1] ?? '', signal: stopSignal() });
};

/** Prints this machine's audit log. */
const audit = async (words: readonly string[]): Promise<number> => {
  const asked = readAuditArguments(words);
  if (typeof asked === 'string') throw new UsageError(asked);
  await printAudit(readConfig(asked.config).audit.folder, asked, PRINT);
  return 0;
};

/** Says everything that is wrong with the configuration. */
const config = async (words: readonly string[]): Promise<number> => {
  const asked = readConfigArguments(words);
  if (typeof asked === 'string') throw new UsageError(asked);
  const judges = {
    playbooks: examinePlaybooks,
    routes: (alerts: Config['alerts'], playbooks: readonly { id: string }[]) => routeFaults(alerts, { playbooks }),
    sources: async (intake: NonNullable<Config['alertIntake']>) => {
      const [{ sourceFaults }, { loadAlertSources }] = await Promise.all([
        import('./bot/alerts/ready.ts'),
        import('./bot/registry.ts'),
      ]);
      return sourceFaults(intake, await loadAlertSources());
    },
  };
  return runConfigCheck(asked, judges, PRINT);
};

/** Checks all that the bot needs of Slack. */
const slackDoctor = async (words: readonly string[]): Promise<number> => {
  const [{ readSlackDoctorArguments, runSlackDoctor }, { samplesOf }] = await Promise.all([
    import('./bot/slack-doctor/command.ts'),
    import('./bot/slack-doctor/samples.ts'),
  ]);
  const asked = readSlackDoctorArguments(words);
  if (typeof asked === 'string') throw new UsageError(asked);
  const config = readConfig(asked.config);
  const { playbooks, probes, causes } = await loadKnowledge(config.playbooksFolder, config.redaction);
  const samples = samplesOf({
    hosts: config.hostNames,
    playbooks: [...playbooks.values()].map((playbook) => summaryOf(playbook, probes)),
    causes: [...causes.values()].map(({ id, title }) => ({ id, title })),
  });
  return runSlackDoctor(config, samples, asked, (text) => void process.stdout.write(text));
};

/** Writes what is installed on hosts. */
const hostKit = async ([folder, ...rest]: readonly string[]): Promise<number> => {
  if (folder === undefined || rest.length > 0) throw new UsageError(HOST_KIT_USAGE);
  process.stdout.write(`${await writeHostKit(folder)}\n`);
  return 0;
};

/** Exports from the history, or removes from it. */
const history = async (command: 'export' | 'purge', words: readonly string[]): Promise<number> => {
  const [{ historyCommand }, { reportText }] = await Promise.all([
    import('./infra/history/commands.ts'),
    import('./playbooks/report-text.ts'),
  ]);
  const asked = historyCommand(command, words);
  if (typeof asked === 'string') throw new UsageError(asked);
  const { history: kept, logLevel } = readConfig(asked.config);
  if (kept === undefined) throw new BadConfig(['history: {keep: false}: no history is kept here']);
  const { said, code } = await asked.run(kept, reportText, openLog(logLevel));
  process.stdout.write(said);
  return code;
};

const main = async ([command = 'help', ...words]: readonly string[]): Promise<number> => {
  switch (command) {
    case 'diagnose':
      return diagnose(words, stopSignal());
    case 'doctor':
      return words[0] === 'slack' ? slackDoctor(words.slice(1)) : doctor(words);
    case 'bot':
      return serve(words, { bot: true, worker: false, ownRedis: false });
    case 'worker':
      return serve(words, { bot: false, worker: true, ownRedis: false });
    case 'up':
      return serve(words, { bot: true, worker: true, ownRedis: true });
    case 'route':
      return route(words);
    case 'audit':
      return audit(words);
    case 'config':
      return config(words);
    case 'host-kit':
      return hostKit(words);
    case 'export':
    case 'purge':
      return history(command, words);
    case 'sandbox':
      return sandbox(words);
    case 'help':
    case '--help':
    case '-h':
      process.stdout.write(HELP);
      return 0;
    default:
      throw new UsageError(`There is no command "${command.replace(/\p{C}/gu, '?').slice(0, 40)}".\n${HELP}`);
  }
};

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    const known =
      error instanceof UsageError ||
      error instanceof BadConfig ||
      error instanceof BadPlaybooks ||
      error instanceof RedisNotStarted ||
      error instanceof BotNotStarted ||
      error instanceof LookFailed;
    const text = error instanceof Error ? (known ? error.message : (error.stack ?? error.message)) : String(error);
    process.stderr.write(`straceback: ${text}\n`);
    process.exitCode = error instanceof LookFailed ? 3 : known ? 2 : 1;
  },
);
