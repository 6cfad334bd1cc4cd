import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { logLines } from '../../../playbooks/probes/log-lines.ts';
import { LogTailData, logTail } from '../../../playbooks/probes/log-tail.ts';
import {
  CTR_SEES,
  DOCKER_SEES,
  python,
  startContainerd,
  startDocker,
  whyNoDaemon,
} from '../../support/container-daemons.ts';
import { endContainers, openFolder, removeGroups } from '../../support/containers.ts';
import { startProcess } from '../../support/live-process.ts';
import { podmanOfRoot, podmanOfUser, whyNoPodman } from '../../support/podman.ts';
import { type RunProbeOptions, runProbe, startTimeOf } from '../../support/run-probe.ts';
import { endSshd } from '../../support/sshd.ts';
import { expectUnhurt, processState } from '../../support/unhurt.ts';
import { until } from '../../support/until.ts';

const end = async (): Promise<void> => {
  await endContainers();
  await endSshd();
};
afterEach(end);

const LONG = 20_000;
const TOO_MANY = 'OSError: [Errno 24] Too many open files';
/** Writes to both, a line that is written down in parts, and one that imitates what is written down. */
const program = (word: string) => `
import sys, time
print('${word} begins', flush=True)
sys.stderr.write('${TOO_MANY} ${word}\\n')
sys.stderr.flush()
print('x' * ${LONG} + ' ${word}', flush=True)
print('{"log":"No space left on device","stream":"stdout","time":"2001-01-01T00:00:00Z"} \\x1b[2J', flush=True)
print('${word} ready', flush=True)
time.sleep(1000)
`;

const word = (): string => `till-${randomBytes(4).toString('hex')}`;

const tailOf = async (pid: number, more: Partial<RunProbeOptions> = {}): Promise<LogTailData> => {
  const before = await processState(pid);
  const { parsed, evidence } = await runProbe(logTail, { pid, ...more });
  await expectUnhurt(pid, before);
  if (!parsed.ok) throw new Error(`${parsed.reason}: ${parsed.why} ${Buffer.from(evidence.stderr)}`);
  expect(parsed.partly).toEqual([]);
  return LogTailData.parse(parsed.data);
};

/** What is to be seen of the program's log, wherever it is kept. */
const expectLog = async (pid: number, id: string, said: string, format: string): Promise<void> => {
  const data = await tailOf(pid);
  const [file] = data.files;
  expect(data.files).toHaveLength(1);
  expect(file).toMatchObject({ fds: [1, 2], through: { format } });
  expect(file?.path).toContain(id);
  expect(file?.through?.pid).not.toBe(pid);
  expect(data.elsewhere).toBe(false);
  const now = Date.now() / 1000;
  // Between the two its keeper has no order.
  expect(data.lines).toHaveLength(2);
  expect(data.lines).toContainEqual(
    expect.objectContaining({ kind: 'files', stream: 'stderr', text: `${TOO_MANY} ${said}` }),
  );
  expect(data.lines).toContainEqual(
    expect.objectContaining({ kind: 'disk', stream: 'stdout', text: expect.stringMatching(/^\{"log":"No space/) }),
  );
  // As the log says, not as the line does.
  for (const { time } of data.lines) expect(Math.abs((time ?? 0) - now)).toBeLessThan(3600);
  const lines = await runProbe(logLines, { pid, options: { pattern: said } });
  if (!lines.parsed.ok) throw new Error(lines.parsed.why);
  const { logs } = lines.parsed.data;
  expect(logs).toHaveLength(1);
  const shown = (stream: string) =>
    (logs[0]?.shown ?? []).filter((each) => each.stream === stream).map(({ text }) => text);
  expect(shown('stderr')).toEqual([`${TOO_MANY} ${said}`]);
  expect(shown('stdout')).toHaveLength(3);
  expect(shown('stdout')[0]).toBe(`${said} begins`);
  expect(shown('stdout')[1]?.replace(/^x{2000} /, '')).toBe(`... (${LONG + said.length + 1} characters)`);
  expect(shown('stdout')[2]).toBe(`${said} ready`);
  for (const { time } of logs[0]?.shown ?? []) expect(Date.parse(time ?? '')).toBeGreaterThan(Date.now() - 3600e3);
};

const PROBES = fileURLToPath(new URL('../../../playbooks/probes/', import.meta.url));
/** log_tail.py with another folder for kubelet's links. */
const AT_LINKS = `
import os, sys
sys.path.insert(0, sys.argv.pop(1))
sys.dont_write_bytecode = True
import log_container, log_tail
log_container.LINKS = os.fsencode(sys.argv.pop(1))
print('\\n'.join(log_tail.main()))
`;

const noDocker = whyNoDaemon('dockerd', 'docker', 'containerd', 'runc', 'tar');
test.skipIf(noDocker !== null)(
  `the log of a container of docker is read where its daemon keeps it, as a json-file and as a local one (${noDocker ?? 'docker'})`,
  async () => {
    const docker = await startDocker();
    for (const driver of ['json-file', 'local']) {
      const said = word();
      const options = ['--name', said, '--network', 'none', '--log-driver', driver, ...DOCKER_SEES];
      const id = await docker.ask('run', '-d', ...options, 'till', ...python('-c', program(said)));
      await until('it has written', async () => (await docker.ask('logs', said)).includes(`${said} ready`));
      const pid = Number(await docker.ask('inspect', said, '--format', '{{.State.Pid}}'));
      await expectLog(pid, id, said, driver);
    }
  },
);

for (const [who, make] of [
  ['root', podmanOfRoot],
  ['a user', podmanOfUser],
] as const) {
  const why = await whyNoPodman(make, end);
  test.skipIf(why !== null)(
    `the log of a container of podman, run by ${who}, is found by its keeper (${why ?? 'podman'})`,
    async () => {
      const podman = make();
      const said = word();
      const { id, pid } = await podman.start(said, '-c', program(said));
      await until('it has written', () => podman.wrote(said, `${said} ready`));
      await expectLog(pid, id, said, 'cri');
    },
  );
}

/**
 * Writes what it reads as containerd's CRI does for kubelet, beside the logs of other containers: one of the same pod where it is
 * told to, one of another pod. It reads for others too.
 */
const NODE = `
import os, subprocess, sys, datetime
pods, pod, sidecar = sys.argv[1:4]
def opened(pod, name):
    os.makedirs(os.path.join(pods, pod, name), exist_ok=True)
    return open(os.path.join(pods, pod, name, '0.log'), 'ab', buffering=0)
def cri(text, tag=b'F'):
    return datetime.datetime.now(datetime.timezone.utc).isoformat().replace('+00:00', '123Z').encode() + b' stdout ' + tag + b' ' + text + b'\\n'
others = [opened('shop_other_4c1d3a80-5a46-4f0b-9d53-0f2f1f6b1111', 'app')] + ([opened(pod, 'sidecar')] if sidecar else [])
for each in others: each.write(cri(b'MemoryError of another'))
child = subprocess.Popen(['/bin/sh', '-c', 'read line'], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
log = opened(pod, 'app')
print('ready', flush=True)
for line in sys.stdin.buffer:
    line = line.rstrip(b'\\n')
    for at in range(0, len(line), 16384):
        log.write(cri(line[at:at + 16384], b'F' if at + 16384 >= len(line) else b'P'))
`;

const noContainerd = whyNoDaemon('containerd', 'ctr', 'runc');
test.skipIf(noContainerd !== null)(
  `the log of a container in a pod is found among those that the node's runtime writes (${noContainerd ?? 'containerd'})`,
  async () => {
    const { ask, client, root } = await startContainerd();
    const folder = openFolder();
    for (const [sidecar, linked] of [
      [false, false],
      [true, true],
      [true, false],
    ] as const) {
      const said = word();
      const id = randomBytes(32).toString('hex');
      const uid = [4, 2, 2, 2, 6].map((bytes) => randomBytes(bytes).toString('hex')).join('-');
      removeGroups(said);
      const pods = path.join(folder, said, 'pods');
      const links = path.join(folder, said, 'containers');
      mkdirSync(links, { recursive: true });
      const log = path.join(pods, `shop_${said}_${uid}`, 'app', '0.log');
      if (linked) symlinkSync(log, path.join(links, `${said}_shop_app-${id}.log`));
      const group = ['--cgroup', `/${said}/kubepods/burstable/pod${uid}/${id}`];
      const run = ['run', '--fifo-dir', folder, '--rootfs', ...CTR_SEES, ...group, root, id];
      const line =
        'node=$1; shift; pods=$1 pod=$2 sidecar=$3; shift 3; "$@" 2>&1 | /usr/bin/python3 -c "$node" "$pods" "$pod" "$sidecar"';
      const words = [NODE, pods, `shop_${said}_${uid}`, sidecar ? 'sidecar' : ''];
      const live = await startProcess('sh', [
        '-c',
        line,
        'sh',
        ...words,
        ...client,
        ...run,
        ...python('-c', program(said)),
      ]);
      const exit = once(live.child, 'exit');
      await live.line(/^ready/);
      try {
        await until('it has written', () => existsSync(log) && readFileSync(log, 'utf8').includes(`${said} ready`));
        const row = (await ask('task', 'ls')).split('\n').find((each) => each.startsWith(`${id} `));
        const pid = Number(row?.split(/\s+/)[1]);
        const out = execFileSync(
          '/usr/bin/python3',
          ['-I', '-c', AT_LINKS, PROBES, links, `${pid}`, startTimeOf(pid), '-'],
          {
            encoding: 'utf8',
          },
        );
        const files = out.split('\n').filter((each) => each.startsWith('file '));
        expect(out).not.toContain('of another');
        if (sidecar && !linked) {
          expect(files).toEqual([]);
          expect(out).toContain('logs open and reads for others too');
          continue;
        }
        expect(files).toEqual([expect.stringMatching(/, fds 1 2, through process \d+ ".*" as cri$/)]);
        expect(files[0]).toContain(JSON.stringify(log));
        expect(out).toMatch(
          new RegExp(` files time \\d{10} stdout: "[^"]*${TOO_MANY.replace(/[[\]]/g, '\\$&')} ${said}`),
        );
      } finally {
        await ask('task', 'kill', '-s', 'SIGKILL', id).catch(() => undefined);
        // The rest of the pipeline ends with what it reads.
        await exit;
        await ask('task', 'rm', '-f', id).catch(() => undefined);
      }
    }
  },
);
