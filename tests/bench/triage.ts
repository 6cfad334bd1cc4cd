import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { hostLookup } from '../../infra/hosts.ts';
import { startSshd } from '../../infra/sandbox/sshd.ts';
import { investigate } from '../../workers/investigate.ts';
import { loadKnowledge } from '../../workers/knowledge.ts';
import { keepFolderOf, shellOpener } from '../../workers/reach.ts';
import { startHeartbeat } from './heartbeat.ts';
import type { Print } from './run.ts';

const exec = promisify(execFile);
const WINDOW = 3;
const ROUNDS = 3;

/** What an engineer would type for the same look, one command a step. */
const stepsByHand = (pid: number): string[] => [
  `cat /proc/${pid}/status /proc/${pid}/cmdline`,
  'uname -a; cat /proc/loadavg /proc/meminfo',
  'dmesg | tail -n 200',
  'cat /proc/locks',
  'ss -tanp',
  `ls -l /proc/${pid}/fd`,
  `cat /proc/${pid}/task/*/stat /proc/${pid}/task/*/syscall`,
  `timeout ${WINDOW} strace -f -c -p ${pid} >/dev/null 2>&1; true`,
];

const seconds = async (work: () => Promise<unknown>): Promise<number> => {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
};

/** Default triage over SSH on loopback, beside OpenSSH with one command a step, alone and over one connection. */
export const run = async (print: Print): Promise<void> => {
  const folder = await mkdtemp(path.join(tmpdir(), 'straceback-bench-'));
  const sshd = await startSshd();
  const target = await startHeartbeat();
  const host = sshd.host('bench', { keepFolder: folder });
  const hosts = hostLookup([host]);
  const opener = shellOpener(hosts);
  const knowledge = await loadKnowledge();
  const look = async () => {
    const { report } = await investigate(
      {
        id: crypto.randomUUID(),
        host: 'bench',
        pid: target.pid,
        playbook: 'triage',
        windowSeconds: WINDOW,
        allow: ['none', 'slows'],
        origin: { kind: 'terminal' },
        requestedAt: Date.now(),
      },
      {
        ...knowledge,
        openShell: opener.openShell,
        keepFolder: keepFolderOf(hosts),
        progress: () => {},
        journal: { started: async () => {}, earlier: async () => [] },
        signal: new AbortController().signal,
        now: Date.now,
      },
    );
    return report;
  };
  try {
    const cold = await seconds(look);
    print('triage', 'first look, new connection', cold, 's');
    await target.longestGap();
    const warm: number[] = [];
    let windows = 0;
    for (let round = 0; round < ROUNDS; round++) {
      let traced = 0;
      warm.push(
        await seconds(async () => {
          // A trace that meets its line limit ends before its window does, so its own length counts.
          traced = (await look()).impact.steps.find((step) => step.probe === 'strace')?.seconds ?? 0;
        }),
      );
      windows = WINDOW + traced;
    }
    const median = warm.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? 0;
    print('triage', `look over a warm connection, window ${WINDOW} s`, median, 's');
    print('triage', 'of which beyond the windows', median - windows, 's');
    print('triage', 'longest gap of the target, 22 threads', await target.longestGap(), 'ms');
    const options = [
      '-p',
      String(sshd.port),
      '-i',
      sshd.identityFile,
      '-o',
      `UserKnownHostsFile=${sshd.knownHostsFile}`,
      '-o',
      'BatchMode=yes',
      '-o',
      'StrictHostKeyChecking=yes',
    ];
    const at = `${sshd.user}@127.0.0.1`;
    const byHand = (more: string[]) => async () => {
      for (const step of stepsByHand(target.pid))
        await exec('ssh', [...options, ...more, at, step], { maxBuffer: 1 << 26 });
    };
    print('triage', 'eight ssh commands, a connection each', await seconds(byHand([])), 's');
    const control = path.join(folder, 'control');
    const master = spawn('ssh', [...options, '-o', 'ControlMaster=yes', '-o', `ControlPath=${control}`, '-N', at], {
      stdio: 'ignore',
    });
    try {
      await untilSocket(control);
      print(
        'triage',
        'eight ssh commands over one connection',
        await seconds(byHand(['-o', `ControlPath=${control}`])),
        's',
      );
    } finally {
      master.kill();
    }
    print('triage', 'memory of the process that looks', process.memoryUsage().rss / 2 ** 20, 'MiB');
  } finally {
    target.stop();
    await opener.close();
    await sshd.stop();
    await rm(folder, { recursive: true, force: true });
  }
};

const untilSocket = async (file: string): Promise<void> => {
  for (;;) {
    const ready = await exec('ssh', ['-O', 'check', '-o', `ControlPath=${file}`, 'any']).then(
      () => true,
      () => false,
    );
    if (ready) return;
  }
};
