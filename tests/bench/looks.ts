import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { stringify } from 'yaml';
import { silentLog } from '../../infra/log.ts';
import { openBotQueue } from '../../infra/queue/bot-side.ts';
import { startRedis } from '../../infra/queue/redis-server.ts';
import { freePort, makeKey } from '../../infra/sandbox/sshd.ts';
import { startHeartbeat } from './heartbeat.ts';
import { processFigures } from './process-figures.ts';
import { nodeArguments } from './program.ts';
import { redisCosts } from './queue.ts';
import { recordLook } from './recording.ts';
import type { Print } from './run.ts';
import { numberFrom } from './settings.ts';

const AT_ONCE = numberFrom('STRACEBACK_BENCH_LOOKS', 200);
const WINDOW = 3;
/** A folder for a profile of the worker, which Chrome's developer tools can show. */
const PROFILE = process.env.STRACEBACK_BENCH_PROFILE;
const PROFILED = PROFILE === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', PROFILE];

/** Starts a node process of the benches and gives the first line that it prints on `from` and `wanted` accepts. */
const startNode = async (
  words: readonly string[],
  env: NodeJS.ProcessEnv,
  from: 'stdout' | 'stderr',
  wanted: (line: string) => boolean,
): Promise<{ child: ChildProcess; line: string }> => {
  const child = spawn(process.execPath, words, {
    stdio: ['pipe', from === 'stdout' ? 'pipe' : 'inherit', from === 'stderr' ? 'pipe' : 'inherit'],
    env: { ...process.env, ...env },
  });
  const stream = child[from];
  if (stream === null) throw new Error('the process has no output');
  const said: string[] = [];
  const line = await new Promise<string>((resolve, reject) => {
    createInterface({ input: stream }).on('line', (each) => {
      if (said.length < 20) said.push(each);
      if (wanted(each)) resolve(each);
    });
    child.once('exit', () => reject(new Error(`${words.at(-1)} ended:\n${said.join('\n')}`)));
  });
  return { child, line };
};

const ended = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  await exit;
};

const sorted = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b);
const at = (values: readonly number[], share: number): number =>
  sorted(values)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? Number.NaN;

/**
 * One worker process with 200 looks at once, each at another host that replays a real look of the default playbook with its
 * times: what they take of the machine is the worker's own work (SSH, frames, parsing, judging, redaction, the queue).
 */
export const run = async (print: Print): Promise<void> => {
  const closers: (() => unknown)[] = [];
  try {
    const folder = await mkdtemp(path.join(tmpdir(), 'straceback-bench-'));
    closers.push(() => rm(folder, { recursive: true, force: true }));
    const file = (name: string) => path.join(folder, name);
    const target = await startHeartbeat();
    closers.push(target.stop);
    const answers = await recordLook(target.pid, WINDOW);
    await writeFile(file('answers.json'), JSON.stringify(answers));
    await Promise.all([makeKey(file('host-key')), makeKey(file('login'))]);

    const hosts = await startNode(
      [...nodeArguments('tests/bench/replaying-hosts'), folder, String(AT_ONCE)],
      {},
      'stdout',
      (line) => line.startsWith('['),
    );
    closers.push(() => ended(hosts.child));
    const ports = JSON.parse(hosts.line) as number[];
    const hostKey = (await readFile(file('host-key.pub'), 'utf8')).trim();
    await writeFile(file('known_hosts'), ports.map((port) => `[127.0.0.1]:${port} ${hostKey}\n`).join(''));

    const redis = await startRedis({ folder });
    closers.push(redis.close);
    const healthPort = await freePort();
    const settings = {
      hostDefaults: {
        user: 'bench',
        identityFile: file('login'),
        knownHostsFile: file('known_hosts'),
      },
      hosts: ports.map((port, index) => ({ name: `web-${index}`, address: '127.0.0.1', port })),
      worker: { concurrency: AT_ONCE },
      health: { port: healthPort },
      dataFolder: folder,
      log: { level: 'info' },
    };
    await writeFile(file('straceback.yaml'), stringify(settings));
    const worker = await startNode(
      [...PROFILED, ...nodeArguments('straceback'), 'worker', '--config', file('straceback.yaml')],
      { REDIS_URL: redis.url },
      'stderr',
      (line) => line.includes('straceback is up'),
    );
    closers.push(() => ended(worker.child));
    const pid = worker.child.pid ?? 0;
    /** What the worker's own clock says of its event loop since this was last asked for, ms (perf_hooks, 10 ms apart). */
    const eventLoop = async () => {
      const text = await (await fetch(`http://127.0.0.1:${healthPort}/metrics`)).text();
      const seconds = (name: string) =>
        Number(new RegExp(`^nodejs_eventloop_lag_${name}_seconds (\\S+)`, 'm').exec(text)?.[1]);
      return { p50: seconds('p50') * 1000, p99: seconds('p99') * 1000, longest: seconds('max') * 1000 };
    };

    const bot = openBotQueue({ redisUrl: redis.url, log: silentLog });
    closers.push(bot.close);
    let answerBytes = 0;
    let toldOfFailure = false;
    const waiting = new Map<string, (end: { seconds: number; report: boolean }) => void>();
    bot.onAnswer(async (answer) => {
      const { requestId, outcome } = answer;
      if (outcome.kind === 'failure' && !toldOfFailure) process.stderr.write(`${outcome.failure.sentence}\n`);
      toldOfFailure ||= outcome.kind === 'failure';
      answerBytes = JSON.stringify(answer).length;
      waiting.get(requestId)?.({ seconds: performance.now() / 1000, report: outcome.kind === 'report' });
    });
    let failures = 0;
    const look = async (host: string): Promise<number> => {
      const id = crypto.randomUUID();
      const began = performance.now() / 1000;
      const end = new Promise<{ seconds: number; report: boolean }>((resolve) => waiting.set(id, resolve));
      await bot.enqueue({
        id,
        host,
        pid: target.pid,
        playbook: 'triage',
        windowSeconds: WINDOW,
        allow: ['none'],
        origin: { kind: 'slack', team: 'T1', channel: 'C1', user: 'U1', threadTs: '1700000000.000100', via: 'command' },
        // What is replayed says how old the process was then: for a look that waited long it would be younger than the question.
        requestedAt: Date.now() + 3_600_000,
      });
      const { seconds, report } = await end;
      waiting.delete(id);
      if (!report) failures += 1;
      return seconds - began;
    };

    const names = ports.map((_, index) => `web-${index}`);
    const alone: number[] = [];
    await look('web-0');
    for (let round = 0; round < 3; round += 1) alone.push(await look('web-0'));
    const single = at(alone, 0.5);
    const idle = await processFigures(pid);
    print('looks', `window of a look`, WINDOW, 's');
    print('looks', 'a single look, warm connection', single, 's');
    print('looks', 'memory before', idle.rss, 'MiB');
    const redisBefore = await redisCosts(redis.url);
    for (const wave of ['new connections', 'warm connections']) {
      await eventLoop();
      const [before, hostsBefore] = await Promise.all([processFigures(pid), processFigures(hosts.child.pid ?? 0)]);
      const began = performance.now();
      const took = await Promise.all(names.map(look));
      const seconds = (performance.now() - began) / 1000;
      const [after, hostsAfter, lag] = await Promise.all([
        processFigures(pid),
        processFigures(hosts.child.pid ?? 0),
        eventLoop(),
      ]);
      const what = `${AT_ONCE} at once, ${wave}`;
      print('looks', `${what}: a look, median`, at(took, 0.5), 's');
      print('looks', `${what}: a look, longest`, at(took, 1), 's');
      print('looks', `${what}: median over a single look`, at(took, 0.5) / single, 'times');
      print(
        'looks',
        `${what}: processor time of the worker, a look`,
        ((after.cpu - before.cpu) * 1000) / AT_ONCE,
        'ms',
      );
      print('looks', `${what}: processor of the worker`, (100 * (after.cpu - before.cpu)) / seconds, '% of a core');
      print(
        'looks',
        `${what}: processor of all hosts`,
        (100 * (hostsAfter.cpu - hostsBefore.cpu)) / seconds,
        '% of a core',
      );
      print('looks', `${what}: event loop late, median`, lag.p50, 'ms');
      print('looks', `${what}: event loop late, p99`, lag.p99, 'ms');
      print('looks', `${what}: event loop late, longest`, lag.longest, 'ms');
      print('looks', `${what}: memory of the worker at most`, after.peak, 'MiB');
    }
    const redisAfter = await redisCosts(redis.url);
    const looks = 2 * AT_ONCE;
    print('looks', 'Redis commands of a look', (redisAfter.commands - redisBefore.commands) / looks, 'commands');
    print('looks', 'memory of Redis for a look', ((redisAfter.memory - redisBefore.memory) * 1024) / looks, 'KiB');
    print('looks', 'an answer, without its evidence', answerBytes / 1024, 'KiB');
    print('looks', 'looks without a report', failures, 'looks');
  } finally {
    for (const close of closers.reverse()) await close();
  }
};
