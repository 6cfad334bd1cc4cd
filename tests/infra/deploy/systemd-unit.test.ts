import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LocalSlack, startLocalSlack } from '../../../infra/sandbox/slack/server.ts';
import { freePort } from '../../../infra/sandbox/sshd.ts';
import { finishedThread, shown } from '../../support/bot.ts';
import { INCIDENTS } from '../../support/containers.ts';
import { atEnd, endSshd, testSshd } from '../../support/sshd.ts';
import { type SystemdHost, systemdHost, whyNoSystemd } from '../../support/systemd-host.ts';
import { until } from '../../support/until.ts';

const ROOT = path.join(import.meta.dirname, '../../..');
const UNIT = 'straceback@up.service';
const why = await whyNoSystemd();
const transfers = path.join(INCIDENTS, 'thread-deadlock/transfers.py');

/** As .dockerignore has it: what a build needs. */
const WANTED = readFileSync(path.join(ROOT, '.dockerignore'), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('!'))
  .map((line) => line.slice(1));

describe.skipIf(why !== null)(`the unit, by a real systemd${why === null ? '' : ` (${why})`}`, () => {
  let systemd: SystemdHost;
  let slack: LocalSlack;
  let health: number;

  beforeAll(async () => {
    systemd = await systemdHost();
    atEnd(systemd.end);
    slack = await startLocalSlack();
    atEnd(() => slack.close());
    health = await freePort();
    const here = path.join(systemd.root, 'opt/straceback');
    mkdirSync(here, { recursive: true });
    for (const name of WANTED) {
      cpSync(path.join(ROOT, name), path.join(here, name), {
        recursive: true,
        filter: (file) => !/__pycache__|\.env$/.test(file),
      });
    }
    const modules = path.join(ROOT, 'node_modules');
    const build = `cd /opt/straceback && mkdir -p node_modules && mount --bind "$0" node_modules && npm run build`;
    await systemd.run('sh', '-ec', build, modules);

    // As docs/deploy.md says.
    await systemd.run('useradd', '--system', 'straceback');
    const etc = path.join(systemd.root, 'etc/straceback');
    mkdirSync(etc, { recursive: true });
    const sshd = await testSshd({ through: systemd.enter });
    const till = sshd.host('till-1');
    cpSync(sshd.identityFile, path.join(etc, 'id'));
    cpSync(sshd.knownHostsFile, path.join(etc, 'known_hosts'));
    const hosts = `hosts:\n  - {name: till-1, address: 127.0.0.1, port: ${till.port}, user: ${till.user}, identityFile: /etc/straceback/id, knownHostsFile: /etc/straceback/known_hosts}\n`;
    writeFileSync(path.join(etc, 'straceback.yaml'), `${hosts}health: {port: ${health}}\n`);
    const secrets = { SLACK_API_URL: slack.apiUrl, SLACK_BOT_TOKEN: slack.botToken, SLACK_APP_TOKEN: slack.appToken };
    const lines = Object.entries(secrets).map(([name, value]) => `${name}=${value}\n`);
    writeFileSync(path.join(etc, 'straceback.env'), lines.join(''), { mode: 0o600 });
    await systemd.run('chown', 'straceback:', '/etc/straceback/id', '/etc/straceback/straceback.yaml');
    cpSync(
      path.join(ROOT, 'infra/deploy/systemd/straceback@.service'),
      path.join(systemd.root, 'etc/systemd/system/straceback@.service'),
    );
    await systemd.run('systemctl', 'daemon-reload');
    await systemd.start('till.service', `[Service]\nExecStart=/usr/bin/python3 -u ${transfers}\n`);
  }, 300_000);
  afterAll(endSshd);

  const wrote = () => systemd.run('journalctl', '-q', '--no-pager', '-o', 'cat', '-u', UNIT);
  const ready = () =>
    until(
      'it is ready',
      async () => {
        const answer = await fetch(`http://127.0.0.1:${health}/readyz`).catch(() => null);
        return answer?.status === 200;
      },
      90,
    ).catch(async (error: unknown) => {
      throw new Error(`${String(error)}: ${await wrote()}`);
    });

  it('has all that the program needs: it looks, answers, and ends when it is told to', async () => {
    await systemd.run('systemctl', 'start', UNIT);
    await ready();
    const pid = await systemd.outside(await systemd.mainPid(UNIT));
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    expect(status).toMatch(/^CapEff:\t0+$/m);
    expect(status).toMatch(/^NoNewPrivs:\t1$/m);
    expect(status).toMatch(/^Seccomp:\t2$/m);

    await slack.user('bob').slash('/diagnose', 'till-1 unit:till locks 1', 'ops');
    const [first] = await finishedThread(slack, 'ops');
    expect(shown(first)).toContain('unit:till');
    expect(JSON.stringify(slack.thread('ops', first?.ts ?? ''))).toContain('thread-deadlock');

    await systemd.run('systemctl', 'stop', UNIT);
    expect(await systemd.property(UNIT, 'Result')).toBe('success');
    const said = await wrote();
    for (const secret of [slack.botToken, slack.appToken]) expect(said).not.toContain(secret);
  }, 240_000);

  it('is started again after it was killed, and keeps what it knew', async () => {
    await systemd.run('systemctl', 'start', UNIT);
    await ready();
    const killed = await systemd.mainPid(UNIT);
    await systemd.run('kill', '-KILL', String(killed));
    await until('another runs', async () => ![0, killed].includes(await systemd.mainPid(UNIT)));
    await ready();
    const answer = await slack.user('bob').slash('/diagnose', 'history', 'ops');
    expect(JSON.stringify(answer)).toContain('thread-deadlock');
    await systemd.run('systemctl', 'stop', UNIT);
  }, 240_000);
});
