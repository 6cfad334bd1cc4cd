import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, expect, test } from 'vitest';
import type { Selector } from '../../../playbooks/model/index.ts';
import { findProcesses } from '../../../workers/finding/find.ts';
import {
  CTR_SEES,
  DOCKER_SEES,
  python,
  startContainerd,
  startDocker,
  whyNoDaemon,
} from '../../support/container-daemons.ts';
import { APP, endContainers, openFolder, removeGroups } from '../../support/containers.ts';
import { examine, expectFinding } from '../../support/incident.ts';
import { waysToAShell, withoutPython } from '../../support/shells.ts';
import { endSshd } from '../../support/sshd.ts';
import { until } from '../../support/until.ts';

afterEach(async () => {
  await endContainers();
  await endSshd();
});

const [, local] = waysToAShell[0] ?? ['', withoutPython];
const find = async (selector: Selector, openShell = local) => {
  const found = await findProcesses('here', selector, { openShell });
  if (found.kind === 'failure') throw new Error(found.failure.sentence);
  return found;
};

const STUCK = `${APP}/thread-deadlock/transfers.py`;
const noDocker = whyNoDaemon('dockerd', 'docker', 'containerd', 'runc', 'tar');
const noContainerd = whyNoDaemon('containerd', 'ctr', 'runc');

test.skipIf(noDocker !== null)(
  `a container of docker is found by name wherever its daemon keeps it, with what entered it (${noDocker ?? 'docker'})`,
  async () => {
    const docker = await startDocker();
    const name = `till-${randomBytes(4).toString('hex')}`;
    const id = await docker.ask(
      'run',
      '-d',
      '--name',
      name,
      '--network',
      'none',
      '--user',
      '1234',
      ...DOCKER_SEES,
      'till',
      ...python(STUCK),
    );
    await docker.ask('exec', '-d', '--user', '4321', name, '/bin/sleep', '1000');
    await until('it is stuck', async () => (await docker.ask('logs', name)).includes('"stuck"'));
    const pid = Number(await docker.ask('inspect', name, '--format', '{{.State.Pid}}'));
    const found = await find({ kind: 'container', id: name });
    expect(found.candidates).toHaveLength(2);
    expect(found.candidates).toContainEqual(
      expect.objectContaining({ pid, pidInside: 1, user: '1234', container: id, containerName: name }),
    );
    expect(found.candidates).toContainEqual(expect.objectContaining({ command: '/bin/sleep 1000', user: '4321' }));
    expect(await find({ kind: 'container', id: id.slice(0, 12), pid: 1 }, withoutPython)).toMatchObject({
      pick: { pid },
    });
    const report = await examine(pid, { playbook: 'stacks', windowSeconds: 1 });
    const finding = expectFinding(report, 'thread-deadlock', 0.8);
    expect(JSON.stringify(finding.source)).toContain('with self.accounts[target].lock');
    expect(report.target).toMatchObject({ pidInside: 1, container: id });
    expect(await docker.ask('inspect', name, '--format', '{{.State.Running}}')).toBe('true');
  },
);

test.skipIf(noContainerd !== null)(
  `containers of containerd are found by their names and as pods (${noContainerd ?? 'containerd'})`,
  async () => {
    const { ask, root } = await startContainerd();
    const [name, pod] = [randomBytes(4).toString('hex'), randomBytes(4).toString('hex')].map(
      (each) => `till-${each}`,
    ) as [string, string];
    const log = path.join(openFolder(), 'log');
    const id = randomBytes(32).toString('hex');
    const uid = [4, 2, 2, 2, 6].map((bytes) => randomBytes(bytes).toString('hex')).join('-');
    removeGroups(pod);
    const notes = { 'sandbox-namespace': 'shop', 'sandbox-name': pod, 'container-name': 'app' };
    const annotations = Object.entries(notes).flatMap(([key, value]) => [
      '--annotation',
      `io.kubernetes.cri.${key}=${value}`,
    ]);
    const make = async (as: string, more: readonly string[], args: readonly string[]): Promise<number> => {
      await ask('run', '-d', '--rootfs', '--log-uri', `file://${log}`, ...CTR_SEES, ...more, root, as, ...args);
      const row = (await ask('task', 'ls')).split('\n').find((line) => line.startsWith(`${as} `));
      return Number(row?.split(/\s+/)[1]);
    };
    try {
      const alone = await make(name, ['--read-only', '--seccomp', '--cgroup', `/${name}`], python(STUCK));
      const inPod = await make(
        id,
        ['--cgroup', `/${pod}/kubepods/burstable/pod${uid}/${id}`, ...annotations],
        ['/bin/sleep', '1000'],
      );
      for (const openShell of [local, withoutPython]) {
        const found = await find({ kind: 'container', id: name }, openShell);
        expect(found.pick).toMatchObject({ pid: alone, pidInside: 1, container: name });
      }
      const found = await find({ kind: 'pod', namespace: 'shop', name: pod, container: 'app' });
      expect(found.pick).toMatchObject({ pid: inPod, pidInside: 1, container: id, pod: `shop/${pod}/app` });
      await until('it is stuck', () => readFileSync(log, 'utf8').includes('"stuck"'));
      const report = await examine(alone, { playbook: 'stacks', windowSeconds: 1 });
      expect(report.target).toMatchObject({ pidInside: 1, container: name });
      expect(report.caveats.join('\n')).toContain(`Process ${alone} is 1 inside container ${name}; its paths`);
      expectFinding(report, 'thread-deadlock', 0.8);
    } finally {
      for (const each of [name, id]) await ask('task', 'rm', '-f', each).catch(() => undefined);
    }
  },
);
