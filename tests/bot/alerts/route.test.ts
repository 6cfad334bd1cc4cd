import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { noticesIn, readRouteArguments, routeText } from '../../../bot/alerts/dry-run.ts';
import { routed, routeFaults, targetOf, whyNot } from '../../../bot/alerts/route.ts';
import { playbookFor } from '../../../bot/alerts/symptom.ts';
import { loadAlertSources } from '../../../bot/registry.ts';
import { readConfig } from '../../../infra/config.ts';
import { notice } from '../../support/alert-groups.ts';
import { ALERTS, OPS, routing } from '../../support/alert-routing.ts';
import { PLAYBOOKS } from '../../support/bot.ts';

const ENV = { HOME: '/home/op', USER: 'op', SSH_AUTH_SOCK: '/run/agent' };
const IDS = ['triage', 'cpu', 'memory', 'slow', 'hang', 'crash', 'fds', 'glance'];
const SITE = { playbooks: IDS.map((id) => ({ id })) };

describe('which route takes an alert', () => {
  const web = { name: 'web', channel: ALERTS, source: 'alertmanager', match: { service: ['web-*', 'checkout'] } };
  const errors = { name: 'errors', channel: OPS, severity: ['critical', 'error'] as ['critical', 'error'] };

  it('is the first whose source, severity and labels all fit', () => {
    const both = routing({ routes: [web, errors] });
    expect(routed(both, notice())).toMatchObject({ kind: 'route', channel: ALERTS, route: { name: 'web' } });
    expect(routed(both, notice({ source: 'sentry' }))).toMatchObject({ channel: OPS, route: { name: 'errors' } });
    expect(routed(both, notice({ labels: { service: 'db' } }))).toMatchObject({ route: { name: 'errors' } });
    expect(routed(both, notice({ source: 'sentry', severity: 'warning' }))).toEqual({ kind: 'nowhere' });
    expect(routed({ ...both, defaultChannel: OPS }, notice({ source: 'x', severity: 'info' }))).toEqual({
      kind: 'default',
      channel: OPS,
    });
  });

  it('says why the others do not', () => {
    const [route] = routing({ routes: [web] }).routes;
    if (route === undefined) throw new Error('no route');
    expect(whyNot(route, notice())).toBeNull();
    expect(whyNot(route, notice({ source: 'sentry' }))).toBe('it is for the source alertmanager, not sentry');
    expect(whyNot(route, notice({ labels: {}, alerts: [] }))).toBe('the alert has no label service');
    expect(whyNot(route, notice({ labels: { service: 'db' } }))).toBe(
      'the label service is “db”, not web-* or checkout',
    );
  });

  it('compares labels of the first alert that fires where the group has none in common', () => {
    const some = notice({ labels: {} });
    const [alert] = some.alerts;
    if (alert === undefined) throw new Error('no alert');
    const two = [
      { ...alert, status: 'resolved' as const, labels: { service: 'db' } },
      { ...alert, labels: { service: 'web-1' } },
    ];
    expect(routed(routing({ routes: [web] }), { ...some, alerts: two })).toMatchObject({ route: { name: 'web' } });
  });

  it('takes no time that grows faster than pattern times value', () => {
    const stars = routing({ routes: [{ ...web, match: { service: `${'*a'.repeat(90)}b` } }] });
    expect(routed(stars, notice({ labels: { service: 'a'.repeat(4_000) } }))).toEqual({ kind: 'nowhere' });
  });
});

describe('what is looked at', () => {
  const target = (route: object, labels: Record<string, string>, title = 'it is bad') => {
    const all = routing({
      inventory: { 'web-7:9100': 'web-7', '10.0.4.*': 'web-8' },
      routes: [{ name: 'r', channel: ALERTS, hostFrom: ['instance', 'host'], selector: 'top:cpu', ...route }],
    });
    const [first] = all.routes;
    if (first === undefined) throw new Error('no route');
    return targetOf(first, { labels, title }, all, SITE);
  };

  it('finds the host in the inventory and nowhere else', () => {
    expect(target({}, { instance: 'web-7:9100' })).toMatchObject({
      host: 'web-7',
      selector: { kind: 'top', by: 'cpu' },
    });
    expect(target({}, { host: '10.0.4.9' })).toMatchObject({ host: 'web-8' });
    expect(target({}, { instance: 'web-7' })).toEqual({
      kind: 'no-look',
      why: 'the inventory has no host for instance “web-7”',
    });
    expect(target({}, {})).toEqual({ kind: 'no-look', why: 'the alert has no label instance or host' });
    expect(target({}, { instance: 'constructor' })).toMatchObject({ kind: 'no-look' });
  });

  it('fills a selector with values that are plain', () => {
    const web = { instance: 'web-7:9100' };
    const unit = { selector: 'unit:{job}.service' };
    expect(target(unit, { ...web, job: 'checkout' })).toMatchObject({
      selector: { kind: 'unit', name: 'checkout.service' },
    });
    expect(target({ selector: '{pid}' }, { ...web, pid: '6325' })).toMatchObject({
      selector: { kind: 'pid', pid: 6325 },
    });
    expect(target({ selector: 'port:{port}' }, { ...web, port: '8080' })).toMatchObject({ selector: { port: 8080 } });
    for (const pid of ['6325 ', '-1', '0x10', '1;reboot', '', '99999999', '１２']) {
      expect(target({ selector: '{pid}' }, { ...web, pid }), pid).toMatchObject({ kind: 'no-look' });
    }
    for (const job of ['*', 'a b', '-rf', '$(id)', '../x', 'a\nb', '', '<!channel>', 'x'.repeat(200)]) {
      expect(target(unit, { ...web, job }), job).toMatchObject({ kind: 'no-look' });
    }
    expect(target(unit, web)).toEqual({ kind: 'no-look', why: 'the alert has no label job' });
  });

  it('gives whatever labels hold either a look at a checked process or a reason', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (job, instance) => {
        const found = target({ selector: 'unit:{job}' }, { job, instance });
        if (found.kind === 'look') expect(['web-7', 'web-8']).toContain(found.host);
        else expect(found.why).not.toBe('');
      }),
    );
  });

  it.each([
    ['HighCPUUsage', 'cpu'],
    ['NodeLoadHigh', 'cpu'],
    ['ContainerMemoryWorkingSetHigh', 'memory'],
    ['Http5xxRateHigh', 'slow'],
    ['p99 latency of checkout over 2 s', 'slow'],
    ['RequestDurationHigh', 'slow'],
    ['WorkerStuck', 'hang'],
    ['service does not answer: health check failed', 'hang'],
    ['KubePodCrashLooping', 'crash'],
    ['ProcessRestartedOften', 'crash'],
    ['OOMKilled', 'crash'],
    ['TooManyOpenFiles', 'fds'],
    ['ProcessFdsNearLimit', 'fds'],
    ['Something is odd', null],
  ])('%s means the playbook %s', (alertname, playbook) => {
    expect(playbookFor({ alertname, service: 'memory-cache' }, '')).toBe(playbook);
    expect(playbookFor({ service: 'memory-cache' }, alertname)).toBe(playbook);
    expect(target({}, { instance: 'web-7:9100', alertname })).toMatchObject({ playbook: playbook ?? 'triage' });
  });

  it('takes the playbook of the route before any symptom', () => {
    expect(target({ playbook: 'hang' }, { instance: 'web-7:9100', alertname: 'HighCpu' })).toMatchObject({
      playbook: 'hang',
    });
  });

  it('knows playbooks that there are none of by file and line', () => {
    const wrong = routing({ routes: [{ name: 'r', channel: ALERTS, playbook: 'nix' }] });
    expect(routeFaults(wrong, { playbooks: PLAYBOOKS })).toEqual([
      'straceback.yaml:1: alerts.routes: r: there is no playbook called nix',
    ]);
  });
});

describe('straceback route', () => {
  const example = readConfig(path.resolve(import.meta.dirname, '../../../infra/deploy/straceback.example.yaml'), ENV);
  const payload = (source: string, name: string): Uint8Array => {
    const file = path.resolve(import.meta.dirname, `../../fixtures/alerts/${source}/${name}.json`);
    const { payload: body }: { payload: unknown } = JSON.parse(readFileSync(file, 'utf8'));
    return new TextEncoder().encode(JSON.stringify(body));
  };

  test('the example configuration looks at a service of the host that the inventory has', async () => {
    const notices = noticesIn(payload('alertmanager', 'firing'), 'alertmanager', await loadAlertSources(), Date.now());
    if (typeof notices === 'string') throw new Error(notices);
    const text = routeText(notices, example.alerts, SITE);
    expect(text).toMatch(/not +\S*straceback\.example\.yaml:\d+ databases: the label job is “checkout”/);
    expect(text).toMatch(/route +\S*straceback\.example\.yaml:\d+ checkout\n +channel +C0123SHOP\n/);
    expect(text).toMatch(/host +web-7\n +process +unit:checkout\.service, of several: likely\n +playbook +cpu\n/);
    expect(text).toContain('in the last 60 min');
  });

  test('a notice as JSON needs no source; anything else is said to be wrong', async () => {
    const sources = await loadAlertSources();
    const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
    const notices = noticesIn(bytes(notice({ labels: {}, alerts: [] })), undefined, sources, 0);
    if (typeof notices === 'string') throw new Error(notices);
    expect(routeText(notices, example.alerts, SITE)).toContain('none: the defaultChannel C0123OPS0');
    expect(routeText(notices, routing({}), SITE)).toContain('logged and counted');
    expect(noticesIn(bytes({}), undefined, sources, 0)).toContain('--source');
    expect(noticesIn(bytes({}), 'alertmanager', sources, 0)).toContain('not the payload of alertmanager');
    expect(noticesIn(bytes({}), 'nagios', sources, 0)).toContain('no source called nagios');
    expect(noticesIn(new Uint8Array([123]), undefined, sources, 0)).toContain('not JSON');
    expect(routeText([], example.alerts, SITE)).toContain('Nothing');
    expect(readRouteArguments(['--source', 'sentry'])).toEqual({ source: 'sentry', config: undefined });
    expect(readRouteArguments(['--source'])).toContain('needs a value');
    expect(readRouteArguments(['x'])).toContain('not understood');
  });

  test('control characters of an alert do not reach the terminal', () => {
    const text = routeText([notice({ title: '\u001b[2Jx', group: 'a\u0007b' })], example.alerts, SITE);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
  });

  test('the program itself says it, without Slack, Redis or hosts, and refuses what it cannot read', async () => {
    const root = path.resolve(import.meta.dirname, '../../..');
    const run = (input: string | Uint8Array, ...words: string[]) =>
      new Promise<{ code: number; out: string; err: string }>((resolve) => {
        const loader = path.join(root, 'tests/support/typescript-loader.mjs');
        const config = path.join(root, 'infra/deploy/straceback.example.yaml');
        const args = ['--import', loader, path.join(root, 'straceback.ts'), 'route', '--config', config, ...words];
        const child = execFile(process.execPath, args, (error, out, err) =>
          resolve({ code: typeof error?.code === 'number' ? error.code : 0, out, err }),
        );
        child.stdin?.end(input);
      });
    const good = await run(payload('alertmanager', 'firing'), '--source', 'alertmanager');
    expect({ code: good.code, err: good.err }).toEqual({ code: 0, err: '' });
    expect(good.out).toContain('process   unit:checkout.service');
    expect(await run('{}', '--source', 'alertmanager')).toMatchObject({ code: 2, out: '' });
    expect((await run('{}', '--source', 'x')).err).toContain('There is no source called x');
  });
});
