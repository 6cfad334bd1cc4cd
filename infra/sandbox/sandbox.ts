import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { stringify } from 'yaml';
import { startRedis } from '../queue/redis-server.ts';
import { messageText, threadPrinter } from './print-thread.ts';
import { PROGRAMS, type RunningProgram, startProgram } from './programs.ts';
import { type LocalSlack, startLocalSlack } from './slack/server.ts';
import { startSshd } from './sshd.ts';

export interface SandboxOptions {
  /** End after the report on the first patient instead of staying. */
  readonly once: boolean;
  /** The built entry file, which is run as `up`, unchanged. */
  readonly entry: string;
  readonly signal: AbortSignal;
  /** Where the page listens; a free port when left out. */
  readonly port?: number;
}

const HOST = 'sandbox';
const CHANNEL = 'ops';
/** The longest that a look may take before `--once` gives up, ms. */
const LOOK_MS = 120_000;

const say = (line: string): void => void process.stdout.write(`${line}\n`);

const stopChild = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    child.once('exit', () => resolve());
    child.kill('SIGTERM');
    setTimeout(() => child.kill('SIGKILL'), 40_000).unref();
  });

/** Starts `straceback up` and waits until its bot has opened its socket to the local Slack. */
const startStraceback = async (
  entry: string,
  config: string,
  slack: LocalSlack,
  redisUrl: string,
): Promise<ChildProcess> => {
  const child = spawn(process.execPath, [entry, 'up', '--config', config], {
    // Its own process group: Ctrl-C reaches this program, which ends the others in order.
    detached: true,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: {
      ...process.env,
      SLACK_API_URL: slack.apiUrl,
      SLACK_BOT_TOKEN: slack.botToken,
      SLACK_APP_TOKEN: slack.appToken,
      SLACK_SIGNING_SECRET: slack.signingSecret,
      REDIS_URL: redisUrl,
    },
  });
  const died = new Promise<never>((_, reject) => {
    child.once('exit', (code) => reject(new Error(`straceback up ended with ${code}; its log is above`)));
  });
  const connected = slack.waitFor(() => slack.sockets.open > 0, { timeoutMs: 30_000 });
  await Promise.race([connected, died]);
  died.catch(() => {});
  return child;
};

/** Types the command and resolves to whether the thread's final report names the patient's fault. */
const askAbout = async (slack: LocalSlack, patient: RunningProgram): Promise<boolean> => {
  const command = `${HOST} ${patient.pid}`;
  say(`  alice types: /diagnose ${command}      (${patient.about})\n`);
  const id = slack.channel(CHANNEL);
  await slack.user('alice').slash('/diagnose', command, id);
  // The first reply in the thread that the bot opened is the report, or one sentence that says why there is none.
  const report = await slack.waitFor(() => slack.messages(id).find((message) => message.thread_ts !== undefined), {
    timeoutMs: LOOK_MS,
  });
  return messageText(report).includes(`Cause: ${patient.cause}.`);
};

/**
 * Starts everything that a newcomer needs to see the bot at work, shows one look, and stays until the signal (or, with
 * `once`, ends after the report). Resolves to the exit code. Ends all that it started and nothing else.
 */
export const runSandbox = async (options: SandboxOptions): Promise<number> => {
  const closers: (() => Promise<void>)[] = [];
  try {
    const folder = await mkdtemp(path.join(tmpdir(), 'straceback-sandbox-'));
    closers.unshift(() => rm(folder, { recursive: true, force: true }));
    say('Starting Redis, sshd, a local Slack and four Python programs.');
    const redis = await startRedis({ folder: path.join(folder, 'redis') });
    closers.unshift(redis.close);
    const sshd = await startSshd();
    closers.unshift(sshd.stop);
    const slack = await startLocalSlack(options.port === undefined ? {} : { port: options.port });
    closers.unshift(slack.close);
    const patients: RunningProgram[] = [];
    for (const program of PROGRAMS) {
      const patient = await startProgram(program);
      patients.push(patient);
      closers.unshift(patient.stop);
    }
    const config = path.join(folder, 'straceback.yaml');
    await writeFile(
      config,
      stringify({
        hosts: [
          {
            name: HOST,
            address: '127.0.0.1',
            port: sshd.port,
            user: sshd.user,
            identityFile: sshd.identityFile,
            knownHostsFile: sshd.knownHostsFile,
          },
        ],
        // So that a newcomer can ask for a core as one person and approve it as another.
        policy: { rules: [{ groups: slack.world.usergroups.map(({ id }) => id), approve: ['stops', 'writes-disk'] }] },
        dataFolder: path.join(folder, 'data'),
        log: { level: 'warn' },
      }),
    );
    const straceback = await startStraceback(options.entry, config, slack, redis.url);
    closers.unshift(() => stopChild(straceback));
    say(`The page of the local Slack: ${slack.pageUrl}\n`);
    const print = threadPrinter(say);
    slack.on('message', print);
    slack.on('update', print);
    slack.on('ephemeral', print);
    const [first] = patients;
    if (first === undefined) throw new Error('the sandbox has no programs');
    const named = await Promise.race([askAbout(slack, first), aborted(options.signal)]);
    if (options.once || options.signal.aborted) return named ? 0 : 1;
    say(`\nIt stays. Open ${slack.pageUrl} and type, for example:`);
    for (const { pid, about } of patients) say(`  /diagnose ${HOST} ${pid}      ${about}`);
    say('Ctrl-C ends everything that was started here.');
    await aborted(options.signal);
    return 0;
  } catch (error) {
    if (options.signal.aborted) return 130;
    process.stderr.write(`straceback sandbox: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  } finally {
    for (const close of closers) await close().catch((error: unknown) => process.stderr.write(`${String(error)}\n`));
  }
};

const aborted = (signal: AbortSignal): Promise<false> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve(false);
    else signal.addEventListener('abort', () => resolve(false), { once: true });
  });
