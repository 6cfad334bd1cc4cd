import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { hostLookup } from '../../../infra/hosts.ts';
import { closeConnections, openShell } from '../../../workers/ssh/shell.ts';
import { folderOf, step, waysToAShell } from '../../support/shells.ts';
import { endSshd, testSshd, testWire } from '../../support/sshd.ts';
import { until } from '../../support/until.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'straceback-leave-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

describe.each(waysToAShell)('leaving through %s', (_, open) => {
  afterAll(async () => {
    await closeConnections();
    await endSshd();
  });

  test('what runs is answered, what comes later is not, and nothing is left on the host', async () => {
    const shell = await open();
    const own = await folderOf(shell);
    const gate = join(folder, `gate-${own.replace(/.*\./, '')}`);
    // It goes on only when the shell has been left.
    const waits = shell.run(step(['sh', '-c', 'until [ -e "$1" ]; do sleep 0.02; done; echo answered', 'sh', gate]));
    const fails = shell.run(step(['sh', '-c', 'echo no >&2; exit 3']));
    shell.leave?.();
    shell.leave?.();
    expect(await shell.run(step(['true']))).toMatchObject({ end: 'connection-lost', exit: null });
    writeFileSync(gate, '');
    expect(text((await waits).stdout)).toBe('answered\n');
    expect(await fails).toMatchObject({ end: 'exited', exit: 3 });
    await shell.close();
    expect(existsSync(own)).toBe(false);
  });

  test('a process that is not the one that was meant is told in that answer, too', async () => {
    const shell = await open();
    const target = { pid: process.pid, startTime: '1' };
    const check = shell.run(step(['true'], { target }));
    shell.leave?.();
    expect(await check).toMatchObject({ end: 'target-gone' });
    await shell.close();
  });
});

describe('a connection that goes away behind the last words', () => {
  afterEach(async () => {
    await closeConnections();
    await endSshd();
  });

  test('leaves nothing on the host: what ran is ended, and the folder is gone', async () => {
    const sshd = await testSshd();
    const wire = await testWire(sshd.port);
    const known = readFileSync(sshd.knownHostsFile, 'utf8');
    writeFileSync(sshd.knownHostsFile, known.replaceAll(`:${sshd.port} `, `:${wire.port} `));
    const shell = await openShell(sshd.host('web-7', { port: wire.port }), hostLookup([]));
    const own = await folderOf(shell);
    const pidFile = join(folder, 'pid');
    const last = shell.run(step(['sh', '-c', 'echo $$ >"$1"; exec sleep 60', 'sh', pidFile]));
    const pid = await until('it runs', () => existsSync(pidFile) && Number(readFileSync(pidFile, 'utf8')));
    shell.leave?.();
    wire.cut();
    expect(await last).toMatchObject({ end: 'connection-lost' });
    await shell.close();
    await until('the folder is gone', () => !existsSync(own), 60);
    await until('the tool is gone', () => !existsSync(`/proc/${pid}`), 60);
  });
});
