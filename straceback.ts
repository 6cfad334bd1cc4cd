#!/usr/bin/env node
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { noticesIn, ROUTE_USAGE, readRouteArguments, routeText } from './bot/alerts/dry-run.ts';
import { routeFaults } from './bot/alerts/route.ts';
import { openAudit } from './infra/audit.ts';
import { AUDIT_USAGE, printAudit, readAuditArguments } from './infra/audit-command.ts';
import { BadConfig, type Config, hostFromCommandLine, readConfig } from './infra/config.ts';
import { EXPORT_USAGE, PURGE_USAGE } from './infra/history/usage.ts';
import { languageFor } from './infra/language.ts';
import { openLog } from './infra/log.ts';
import type { RedisAddress } from './infra/queue/place.ts';
import { BadPlaybooks } from './playbooks/catalog.ts';
import { summaryOf } from './playbooks/harm.ts';
import { LookFailed } from './playbooks/model/index.ts';
import { doctorText, examineHost } from './workers/doctor.ts';
import { HOST_KIT_USAGE, writeHostKit } from './workers/host-kit/write.ts';
import { loadKnowledge } from './workers/knowledge.ts';
import { keepFolderOf, shellOpener } from './workers/reach.ts';
import {
  type Reach,
  readDiagnoseArguments,
  readDoctorArguments,
  USAGE,
  UsageError,
} from './workers/terminal/arguments.ts';
import { diagnoseOnTerminal } from './workers/terminal/diagnose.ts';

const HELP = `Straceback, a process doctor that lives in a chat channel.

  straceback bot [--config FILE]       the chat side: Slack and the queue
  straceback worker [--config FILE]    the host side: takes looks from the queue
  straceback up [--config FILE]        both on one machine; starts its own Redis when REDIS_URL is not set
  ${USAGE.diagnose}
  ${USAGE.doctor}
  ${HOST_KIT_USAGE}
  ${AUDIT_USAGE}
  ${EXPORT_USAGE}
  ${PURGE_USAGE}
  ${ROUTE_USAGE}
  straceback sandbox [--once]          a local Slack, sshd and a few sick programs to try it on

Exit codes: 0 done, 2 wrong usage or configuration, 3 the host or process could not be reached or read.
`;

type Hosts = Config['hosts'];

/** The longest that stopping may take: running looks are given half a minute to end. */
const LONGEST_STOP_MS = 60_000;

/** Hosts as a terminal user reaches them: by the options given, else by the inventory, else as ssh(1) would by name. */
const terminalHosts = (config: Config, reach: Reach): Hosts => {
  const given = Object.values(reach).some((value) => value !== undefined);
  return (name) => {
    if (name === 'local') return config.hosts(name);
    // The jump host is reached without itself, and by what the inventory knows of it.
    if (name === reach.jump) return config.hosts(name) ?? hostFromCommandLine(name, { ...reach, jump: undefined });
    return (given ? undefined : config.hosts(name)) ?? hostFromCommandLine(name, reach);
  };
};

/** Reads the inventory of a look from the terminal; what is wrong with it is said, and the look goes on with what is known. */
const readInventory = async ({ inventory }: Config): Promise<void> => {
  for (const fault of await inventory.refresh()) process.stderr.write(`straceback: ${fault}\n`);
};

/** Aborted by Ctrl-C or a polite kill; a second one ends the program at once. */
const stopSignal = (): AbortSignal => {
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      controller.abort();
      process.once(signal, () => process.exit(130));
    });
  }
  return controller.signal;
};

const diagnose = async (words: readonly string[]): Promise<number> => {
  const asked = readDiagnoseArguments(words);
  const config = readConfig(asked.config);
  await readInventory(config);
  const hosts = terminalHosts(config, asked.reach);
  const opener = shellOpener(hosts);
  try {
    const knowledge = await loadKnowledge(config.playbooksFolder, config.redaction);
    return await diagnoseOnTerminal(
      { ...asked, language: asked.language ?? languageFor(config.language, null) },
      { knowledge, openShell: opener.openShell, keepFolder: keepFolderOf(hosts) },
      {
        out: (text) => void process.stdout.write(text),
        err: (text) => void process.stderr.write(text),
        interactive: process.stderr.isTTY === true,
        signal: stopSignal(),
      },
    );
  } finally {
    await opener.close();
  }
};

const doctor = async (words: readonly string[]): Promise<number> => {
  const asked = readDoctorArguments(words);
  const config = readConfig(asked.config);
  await readInventory(config);
  const opener = shellOpener(terminalHosts(config, asked.reach));
  try {
    const shell = await opener.openShell(asked.host);
    try {
      const found = await examineHost(asked.host, shell);
      process.stdout.write(asked.json ? `${JSON.stringify(found, null, 2)}\n` : doctorText(found));
      return 0;
    } finally {
      await shell.close();
    }
  } finally {
    await opener.close();
  }
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
      const folder = path.join(config.dataFolder, 'redis');
      await mkdir(folder, { recursive: true });
      const { startRedis } = await import('./infra/queue/redis-server.ts');
      const redis = await startRedis({ folder });
      closers.unshift(redis.close);
      redisUrl = redis.url;
    }
    const { openSurroundings } = await import('./infra/attend.ts');
    const around = await openSurroundings(config, redisUrl, log);
    closers.unshift(around.close);
    const { counts, trace, telemetry } = around;
    closers.unshift((await config.inventory.keepFresh(log)).close);
    if (sides.worker) {
      const { startWorker } = await import('./workers/worker.ts');
      const worker = startWorker({ config, redisUrl, knowledge, log, counts, trace, telemetry });
      closers.unshift(worker.close);
    }
    if (sides.bot) {
      const [{ openBotQueue }, { startBot }] = await Promise.all([
        import('./infra/queue/bot-side.ts'),
        import('./bot/bot.ts'),
      ]);
      const queue = await openBotQueue({ redisUrl, log, telemetry });
      closers.unshift(queue.close);
      const [{ openKeptHistory }, { relayedAudit }] = await Promise.all([
        import('./infra/history/open.ts'),
        import('./infra/history/relay.ts'),
      ]);
      const history = openKeptHistory({ config, redisUrl, queue, log });
      if (history !== undefined) {
        // After the queue, whose last answers are still handed to it.
        closers.splice(closers.indexOf(queue.close) + 1, 0, history.close);
        around.parts.ask('history', () => {
          const { ok, why } = history.state();
          return { ok, why: why ?? 'History is written.' };
        });
      }
      const audit = openAudit({ folder: config.audit.folder, side: 'bot' });
      around.parts.tell('slack', { ok: false, why: 'There is no connection to Slack yet.' });
      const bot = await startBot({
        slack: config.slack,
        queue,
        hosts: {
          // Asked for anew each time: an inventory is read again and again.
          get names() {
            return config.hostNames;
          },
          known: (name) => config.hosts(name) !== undefined,
          patterns: config.hostPatterns,
        },
        playbooks: [...knowledge.playbooks.values()].map((playbook) => summaryOf(playbook, knowledge.probes)),
        causes: [...knowledge.causes.values()].map(({ id, title }) => ({ id, title })),
        policy: config.policy,
        audit: history === undefined ? audit : relayedAudit(audit, 'bot', history.keepAudit),
        history,
        alerts: config.alerts,
        language: config.language,
        log,
        counts,
        trace,
        tell: (state) => around.parts.tell('slack', state),
        signal: stopped,
      }).catch((error: unknown) => {
        if (stopped.aborted) return null;
        throw error;
      });
      if (bot === null) return 0;
      closers.unshift(bot.close);
      if (config.alertIntake !== undefined) {
        const [{ startAlertServer }, { loadAlertSources }] = await Promise.all([
          import('./bot/alerts/server.ts'),
          import('./bot/registry.ts'),
        ]);
        const sources = await loadAlertSources();
        closers.unshift(
          (
            await startAlertServer({
              settings: config.alertIntake,
              sources,
              queue,
              log,
              counts,
              redaction: config.redaction,
            })
          ).close,
        );
      }
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

/** As much as a source may send in one request, and more: the whole of standard input. */
const MOST_ROUTE_BYTES = 10 * 1024 * 1024;

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
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of process.stdin as AsyncIterable<Buffer>) {
    size += piece.length;
    if (size > MOST_ROUTE_BYTES) throw new UsageError('The payload is larger than 10 MiB.');
    pieces.push(piece);
  }
  const notices = noticesIn(Buffer.concat(pieces), asked.source, await loadAlertSources(), Date.now());
  if (typeof notices === 'string') throw new UsageError(notices);
  process.stdout.write(routeText(notices, config.alerts, site));
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
  await printAudit(readConfig(asked.config).audit.folder, asked, {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
  });
  return 0;
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
      return diagnose(words);
    case 'doctor':
      return doctor(words);
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
      error instanceof LookFailed;
    const text = error instanceof Error ? (known ? error.message : (error.stack ?? error.message)) : String(error);
    process.stderr.write(`straceback: ${text}\n`);
    process.exitCode = error instanceof LookFailed ? 3 : known ? 2 : 1;
  },
);
