import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { freePort } from '../../../infra/sandbox/sshd.ts';
import type { Finding } from '../../../playbooks/model/index.ts';
import { compileExtension, coresInFolder, removeExtensions, whyNoExtensions } from '../../support/extension.ts';
import { canRun, examine, expectFinding, pythons, startStanding } from '../../support/incident.ts';

const cores = coresInFolder() && canRun('/usr/bin/gdb');
const withRowcache = (python?: string) => ({
  ...(python === undefined ? {} : { python }),
  env: { PYTHONPATH: compileExtension('refcount-corruption/native/rowcache.c', python) },
});

/** Programs that crash several times a second need no longer one. */
const WINDOW = { windowSeconds: 2 };

afterAll(removeExtensions);

/** What every one of these findings has to say. */
const expectAdvice = (finding: Finding): void => {
  const advice = finding.fixes.map((fix) => `${fix.title} ${fix.detail}`).join('\n');
  expect(advice).toMatch(/debug build/i);
  expect(advice).toMatch(/Py_INCREF is missing/);
  expect(advice).toContain('rowcache');
};

describe.skipIf(whyNoExtensions() !== null)('an extension that mistreats reference counts', () => {
  const servers = [
    ['uwsgi', '/usr/lib/uwsgi/plugins/python3_plugin.so'],
    ['gunicorn', '/usr/bin/gunicorn'],
  ] as const;

  it.each(servers.filter(([, file]) => canRun(file) || file.endsWith('.so')))('under %s', async (server, file) => {
    if (!canRun(`/usr/bin/${server}`)) return expect(file).toContain(server);
    const port = await freePort();
    const folder = path.join(import.meta.dirname);
    const { pid } = await startStanding('refcount-corruption/web_front.py', {
      ...withRowcache(),
      args: [server, folder, String(port), 'cores'],
    });
    const report = await examine(pid, WINDOW);
    const finding = expectFinding(report, 'refcount-corruption', cores ? 0.9 : 0.6);
    expect(finding.title).toContain('SIGABRT');
    expect(`${finding.title} ${finding.summary}`).toContain('rowcache');
    expect(report.findings[1]).toMatchObject({ cause: 'native-crash', explainedBy: 'refcount-corruption' });
    expectAdvice(finding);
    if (!cores) return;
    expect(finding.summary).toContain('`envelope`');
    expect(finding.title).toMatch(/Orders\.confirm` \(`\S+shop_app\.py:11`\)/);
  });

  const versions = pythons('3.9.18', '3.12.1').filter((python) => whyNoExtensions(python) === null);
  it.runIf(cores).each(versions)('that is met in the garbage collector (%s)', async (python) => {
    const { pid } = await startStanding('refcount-corruption/report_master.py', {
      ...withRowcache(python),
      args: ['cores'],
    });
    const finding = expectFinding(await examine(pid, WINDOW), 'refcount-corruption', 0.6);
    expect(finding.title).toContain('rowcache');
    expect(finding.summary).toContain('Inferred');
    expectAdvice(finding);
  });

  it.runIf(cores)('that is met where a row is dropped, in threads that fork and watch workers', async () => {
    const { pid } = await startStanding('refcount-corruption/ledger_workers.py', {
      ...withRowcache(),
      args: ['app.log', 'cores'],
    });
    const finding = expectFinding(await examine(pid, WINDOW), 'refcount-corruption', 0.9);
    expect(finding.summary).toContain('`remember`');
    expect(finding.title).toMatch(/`balance` \(`\S+ledger_workers\.py:24`\)/);
    expectAdvice(finding);
  });
});
