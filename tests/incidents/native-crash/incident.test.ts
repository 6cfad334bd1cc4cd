import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { compileExtension, coresInFolder, removeExtensions, whyNoExtensions } from '../../support/extension.ts';
import {
  canRun,
  examine,
  expectFinding,
  expectHealthy,
  pythons,
  startProgram,
  startStanding,
} from '../../support/incident.ts';

const cores = coresInFolder();
const withThumbs = (python?: string) => ({
  ...(python === undefined ? {} : { python }),
  env: { PYTHONPATH: compileExtension('native-crash/native/thumbs.c', python) },
});

/** Programs that crash several times a second need no longer one. */
const WINDOW = { windowSeconds: 2 };

afterAll(removeExtensions);

describe.skipIf(whyNoExtensions() !== null)('a family whose members crash in native code', () => {
  const versions = pythons('3.8.18', '3.13.0').filter((python) => whyNoExtensions(python) === null);

  it.each(versions)('as the master, from the core: function, extension and Python line (%s)', async (python) => {
    const { pid } = await startStanding('native-crash/thumbnail_master.py', { ...withThumbs(python), args: ['cores'] });
    const finding = expectFinding(
      await examine(pid, WINDOW),
      'native-crash',
      cores && canRun('/usr/bin/gdb') ? 0.9 : 0.6,
    );
    expect(finding.title).toContain('SIGSEGV');
    expect(finding.summary + finding.title).toContain('thumbs.');
    if (!cores || !canRun('/usr/bin/gdb')) return;
    expect(finding.title).toMatch(/`(?:row_average|scale)` of/);
    expect(finding.title).toMatch(/make` \(`\S+thumbnail_master\.py:31`\)/);
    expect(finding.fixes[0]?.title).toContain('thumbs.');
  });

  it('as one of the workers: its siblings die, and the master is named', async () => {
    const live = await startProgram('native-crash/thumbnail_master.py', { ...withThumbs(), args: ['cores'] });
    const [, first = ''] = /^first (\d+)/.exec(await live.line(/^first/)) ?? [];
    await live.line(/^standing/);
    const finding = expectFinding(await examine(Number(first), WINDOW), 'native-crash', cores ? 0.9 : 0.5);
    expect(finding.title).toContain(`process ${live.pid}`);
    expect(finding.related).toMatchObject([{ pid: live.pid }]);
  });

  it('as the master of workers that leave no core: says what is not known, and how to get a core', async () => {
    const { pid } = await startStanding('native-crash/blur_pool.py', { ...withThumbs(), args: ['app.log'] });
    const finding = expectFinding(await examine(pid, WINDOW), 'native-crash', 0.6);
    expect(finding.confidence).toBeLessThan(0.9);
    expect(finding.summary, JSON.stringify(finding, null, 1)).toMatch(/Inferred/);
    const how = finding.fixes.map((fix) => `${fix.detail}\n${fix.code}`).join('\n');
    expect(how).toContain(`prlimit --pid ${pid} --core=unlimited`);
    expect(how).toContain('PYTHONFAULTHANDLER=1');
  });

  it('as what a supervisor started in the place of the dead one', async () => {
    const live = await startProgram('native-crash/respawned.py', withThumbs());
    const [, pid = ''] = /^standing (\d+)/.exec(await live.line(/^standing/)) ?? [];
    const report = await examine(Number(pid), WINDOW);
    const finding = expectFinding(report, 'native-crash', 0.5);
    if (cores) expect(finding.title).toContain(`process ${live.pid}`);
  });
});

describe('a family whose members end otherwise', () => {
  it.each(['healthy_recycling.py', 'healthy_timeouts.py', 'healthy_failing_tool.py'])('%s', async (program) => {
    const { pid } = await startStanding(path.join('native-crash', program), { args: ['app.log'] });
    const report = await examine(pid, WINDOW);
    expectHealthy(report);
    expect(report.findings.map((finding) => finding.cause)).not.toContain('native-crash');
  });
});
