import { randomBytes } from 'node:crypto';
import { afterEach, expect, test } from 'vitest';
import { logLines } from '../../../playbooks/probes/log-lines.ts';
import { LogTailData, logTail } from '../../../playbooks/probes/log-tail.ts';
import { DOCKER_SEES, python, startDocker, whyNoDaemon } from '../../support/container-daemons.ts';
import { endContainers } from '../../support/containers.ts';
import { podmanOfRoot, podmanOfUser, whyNoPodman } from '../../support/podman.ts';
import { type RunProbeOptions, runProbe } from '../../support/run-probe.ts';
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
