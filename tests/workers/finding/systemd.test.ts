import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hostLookup, type SshHost } from '../../../infra/hosts.ts';
import { findProcesses } from '../../../workers/finding/find.ts';
import { openShell } from '../../../workers/ssh/shell.ts';
import { INCIDENTS } from '../../support/containers.ts';
import { examineFully, expectFinding } from '../../support/incident.ts';
import { atEnd, endSshd, testSshd } from '../../support/sshd.ts';
import { type SystemdHost, systemdHost, whyNoSystemd } from '../../support/systemd-host.ts';
import { until } from '../../support/until.ts';

const why = await whyNoSystemd();
const transfers = path.join(INCIDENTS, 'thread-deadlock/transfers.py');

describe.skipIf(why !== null)(`units of a real systemd${why === null ? '' : ` (${why})`}`, () => {
  let systemd: SystemdHost;
  let host: SshHost;

  beforeAll(async () => {
    systemd = await systemdHost();
    atEnd(systemd.end);
    host = (await testSshd({ through: systemd.enter })).host('till-1');
    await systemd.start('till@blue.service', `[Service]\nExecStart=/usr/bin/python3 -u ${transfers}\n`);
  }, 120_000);
  afterAll(endSshd);

  const find = (name: string) =>
    findProcesses('till-1', { kind: 'unit', name }, { openShell: () => openShell(host, hostLookup([host])) });

  it('are found by name, by their template, and near names are told', async () => {
    const pid = await systemd.mainPid('till@blue.service');
    for (const name of ['till@blue.service', 'till@blue', 'till@'])
      expect(await find(name), name).toMatchObject({ pick: { pid, unit: 'till@blue.service' } });
    expect(await find('tell@blue')).toMatchObject({
      candidates: [],
      near: expect.stringContaining('`till@blue.service`'),
    });
  });

  it('are looked at, with what they wrote to the journal', async () => {
    const pid = await systemd.mainPid('till@blue.service');
    const wrote = () => systemd.run('journalctl', '-q', '--no-pager', '-o', 'cat', '-u', 'till@blue.service');
    await until('it is stuck', async () => (await wrote()).includes('"stuck"'));
    const options = { through: host, outside: await systemd.outside(pid), windowSeconds: 1 };
    const { report } = await examineFully(pid, options);
    expectFinding(report, 'thread-deadlock', 0.8);
    const { files } = await examineFully(pid, { ...options, playbook: 'log' });
    const log = files.map(({ text }) => text).join('\n');
    expect(log).toContain('till@blue.service');
    expect(log).toMatch(/stuck/);
  });
});
