import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hostLookup, type SshHost } from '../../../infra/hosts.ts';
import { LookFailed, type Request } from '../../../playbooks/model/index.ts';
import { toldOfEnd } from '../../../workers/ending/tell.ts';
import { openShell } from '../../../workers/ssh/shell.ts';
import { atEnd, endSshd, testSshd } from '../../support/sshd.ts';
import { type SystemdHost, systemdHost, whyNoSystemd } from '../../support/systemd-host.ts';
import { until } from '../../support/until.ts';

const PYTHON = '/usr/bin/python3 -u -c';
const why = await whyNoSystemd();

describe.skipIf(why !== null)(`services of a real systemd${why === null ? '' : ` (${why})`}`, () => {
  let systemd: SystemdHost;
  let host: SshHost;

  beforeAll(async () => {
    systemd = await systemdHost();
    atEnd(systemd.end);
    host = (await testSshd({ through: systemd.enter })).host('till-1');
  }, 120_000);
  afterAll(endSshd);

  const told = async (pid: number, was?: Request['was']): Promise<string> => {
    const shell = await openShell(host, hostLookup([host]));
    try {
      const failed = new LookFailed('no-such-process', 'None.');
      const end = await toldOfEnd(failed, { host: 'till-1', pid, was }, shell);
      return end instanceof LookFailed ? end.message : String(end);
    } finally {
      await shell.close();
    }
  };

  it('say how the one that failed has ended', async () => {
    await systemd.start('third.service', `[Service]\nExecStart=${PYTHON} "import sys; sys.exit(3)"\n`);
    const state = () => systemd.property('third.service', 'ActiveState');
    await until('it has failed', async () => (await state()) === 'failed');
    const pid = Number(await systemd.property('third.service', 'ExecMainPID'));
    expect(await told(pid)).toMatch(
      new RegExp(
        `^Process ${pid} on till-1 has gone: as the main process of \`third\\.service\` it exited with status 3 at .* UTC \\(systemd: \`exit-code\`\\)\\.`,
      ),
    );
  });

  it('say how one has ended whose place another has taken', async () => {
    await systemd.start(
      'again.service',
      `[Service]\nExecStart=${PYTHON} "import time; time.sleep(9999)"\nRestart=always\nRestartSec=0\n`,
    );
    const pid = await systemd.mainPid('again.service');
    await systemd.run('kill', '-KILL', String(pid));
    await until('another runs', async () => ![0, pid].includes(await systemd.mainPid('again.service')));
    const said = await told(pid, { command: `${PYTHON} …`, unit: 'again.service' });
    expect(said).toContain('SIGKILL');
    expect(said).toContain('`again.service`');
  });
});
