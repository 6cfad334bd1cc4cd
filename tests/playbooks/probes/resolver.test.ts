import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { resolver } from '../../../playbooks/probes/resolver.ts';
import { fixtureNames, loadFixture, parseFixture } from '../../support/fixture.ts';
import { canRun } from '../../support/incident.ts';
import { endProcesses, startProcess, startPython } from '../../support/live-process.ts';
import { canChangeRoot } from '../../support/other-root.ts';
import { expectNeverThrows } from '../../support/parser-safety.ts';
import { evidenceFrom, runProbe, stepFor } from '../../support/run-probe.ts';

const folders: string[] = [];
afterEach(async () => {
  await endProcesses();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

describe('recorded runs', () => {
  it('reads servers, options (the environment wins), sources and caches', () => {
    expect(parseFixture(resolver, 'plain')).toEqual({
      ok: true,
      partly: [],
      data: {
        file: '/etc/resolv.conf',
        nameServers: [
          { address: '10.0.0.53', at: 4 },
          { address: 'fd00::53', at: 5 },
        ],
        upstream: [],
        timeoutSeconds: 1,
        attempts: 4,
        options: { text: 'options ndots:5 timeout:3 attempts:4', at: 6 },
        search: ['a.example.com', 'example.com'],
        hosts: { text: 'files mdns4_minimal [NOTFOUND=return] dns', at: 7 },
        caches: ['nscd'],
      },
    });
  });

  it('reads who stands behind systemd-resolved', () => {
    expect(parseFixture(resolver, 'resolved')).toMatchObject({
      data: {
        file: '/run/systemd/resolve/stub-resolv.conf',
        upstream: [{ address: '192.0.2.1' }, { address: '192.0.2.2' }],
        timeoutSeconds: 5,
        attempts: 2,
        caches: ['systemd-resolved'],
      },
    });
  });

  it('knows the server that is asked without a file, and says what is missing', () => {
    expect(parseFixture(resolver, 'cut')).toMatchObject({
      data: { file: null, nameServers: [{ address: '127.0.0.1', at: 2 }] },
      partly: [expect.stringMatching(/breaks off/)],
    });
    const parse = (text: string) => resolver.parse(evidenceFrom('resolver', text), stepFor(resolver, { pid: 1 }));
    expect(parse('== gone: no process 1\n')).toMatchObject({ reason: 'target-gone' });
    expect(parse('== denied: /proc/1/root\n')).toMatchObject({ reason: 'no-permission' });
    expect(parse('sh: not found')).toMatchObject({ reason: 'not-parsable' });
  });

  it('never throws', () => {
    expectNeverThrows(
      resolver,
      fixtureNames('resolver').map((name) => Buffer.from(loadFixture('resolver', name).evidence.stdout)),
    );
  });
});

describe('on a live process', () => {
  it('reads the files that this process has', async () => {
    const live = await startPython('print("ready", flush=True); input()', [], {
      env: { ...process.env, RES_OPTIONS: 'timeout:7 attempts:3', SECRET: 'not shown' },
    });
    const { parsed, evidence } = await runProbe(resolver, { pid: live.pid });
    expect(parsed).toMatchObject({ ok: true, data: { timeoutSeconds: 7, attempts: 3 }, partly: [] });
    expect(Buffer.from(evidence.stdout).toString()).not.toContain('not shown');
  });

  it.skipIf(!canChangeRoot() || !canRun('/bin/busybox'))(
    'follows links of the folders above inside of the process’s root too, and up no further than it',
    async () => {
      const outside = mkdtempSync(join(tmpdir(), 'straceback-resolver-'));
      folders.push(outside);
      // Where the kernel would go, had it the choice.
      writeFileSync(join(outside, 'resolv.conf'), 'nameserver 198.51.100.66\n');
      mkdirSync(join(outside, 'nscd'));
      const server = createServer().listen(join(outside, 'nscd', 'socket'));
      await once(server, 'listening');
      try {
        const root = join(outside, 'root');
        for (const folder of ['bin', 'data/etc', 'data/up', 'var', outside.slice(1)])
          mkdirSync(join(root, folder), { recursive: true });
        symlinkSync('/data/etc', join(root, 'etc'));
        symlinkSync('../../../../../../../../../data/up/../etc/./real.conf', join(root, 'data/etc/resolv.conf'));
        symlinkSync(outside, join(root, 'var/run'));
        symlinkSync('loop', join(root, 'data/etc/loop'));
        symlinkSync('/etc/loop/x', join(root, 'data/etc/nsswitch.conf'));
        writeFileSync(join(root, 'data/etc/real.conf'), 'nameserver 192.0.2.7\n');
        execFileSync('cp', ['/bin/busybox', join(root, 'bin', 'busybox')]);
        const live = await startProcess('chroot', [root, '/bin/busybox', 'sh', '-c', 'echo ready; read line']);
        await live.line(/^ready/);
        const { parsed } = await runProbe(resolver, { pid: live.pid });
        expect(parsed).toMatchObject({
          ok: true,
          data: { file: '/data/etc/real.conf', nameServers: [{ address: '192.0.2.7' }], hosts: null, caches: [] },
        });
      } finally {
        server.close();
      }
    },
  );

  it.skipIf(!canChangeRoot() || !canRun('/bin/busybox'))(
    'follows links inside of the process’s root, never out of it',
    async () => {
      const root = mkdtempSync(join(tmpdir(), 'straceback-resolver-'));
      folders.push(root);
      mkdirSync(join(root, 'etc'));
      mkdirSync(join(root, 'run'));
      mkdirSync(join(root, 'bin'));
      symlinkSync('/run/inner.conf', join(root, 'etc', 'resolv.conf'));
      writeFileSync(
        join(root, 'run', 'inner.conf'),
        'nameserver 192.0.2.7\npassword hidden\noptions timeout:2\u001b[2J\n',
      );
      execFileSync('cp', ['/bin/busybox', join(root, 'bin', 'busybox')]);
      const live = await startProcess('chroot', [root, '/bin/busybox', 'sh', '-c', 'echo ready; read line']);
      await live.line(/^ready/);
      const { parsed, evidence } = await runProbe(resolver, { pid: live.pid });
      const text = Buffer.from(evidence.stdout).toString();
      expect(parsed).toMatchObject({
        ok: true,
        data: { file: '/run/inner.conf', nameServers: [{ address: '192.0.2.7' }], hosts: null },
      });
      expect(text).not.toContain('hidden');
      expect(text).not.toContain('\u001b');
    },
  );
});
