import { mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Parsed } from '../../../playbooks/model/index.ts';
import { CoredumpsData, coredumps } from '../../../playbooks/probes/coredumps.ts';
import { coresInFolder } from '../../support/extension.ts';
import { endProcesses, startPython } from '../../support/live-process.ts';
import { expectNeverThrows, fixture, fixtureFolder, fixtureNames } from '../../support/parser-safety.ts';
import { evidenceFrom, runProbe, stepFor } from '../../support/run-probe.ts';
import { expectUnhurt, processState } from '../../support/unhurt.ts';

const folders: string[] = [];

afterEach(async () => {
  await endProcesses();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

const scratch = (): string => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'coredumps-test-')));
  folders.push(folder);
  return folder;
};

const dataOf = (parsed: Parsed<CoredumpsData>): CoredumpsData => {
  if (!parsed.ok) throw new Error(`${parsed.reason}: ${parsed.why}`);
  return CoredumpsData.parse(parsed.data);
};

/** Has a child that dies by the signal that is asked for on each line; says so when it has been reaped. */
const MASTER = `
import ctypes, os, resource, sys
resource.setrlimit(resource.RLIMIT_CORE, (int(sys.argv[1]), resource.getrlimit(resource.RLIMIT_CORE)[1]))
print('ready', flush=True)
for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        if line.strip() == 'fault': ctypes.string_at(8)
        if line.strip() == 'abort': os.abort()
        os.kill(os.getpid(), 19)
    if line.strip() == 'sent':
        os.waitpid(pid, os.WUNTRACED); os.kill(pid, 11); os.kill(pid, 18)
    os.waitpid(pid, 0)
    print('dead', pid, flush=True)
`;

const startMaster = async (limit: number) => {
  const folder = scratch();
  const live = await startPython(MASTER, [String(limit)], { cwd: folder });
  const die = async (how: string): Promise<number> => {
    live.say(how);
    return Number((await live.line(/^dead/)).split(' ')[1]);
  };
  return { live, folder, die };
};

describe('coredumps on live processes', () => {
  it('asks for Python', () => {
    const command = coredumps.command(
      stepFor(coredumps, { pid: 7, startTime: '9', known: { python: '/opt/python3' } }),
    );
    expect(command.argv).toEqual(['/opt/python3', '-I', '-S', '-B', '{script:coredumps.py}', '7', '9']);
    expect(command.scripts).toContain('core_elf.py');
  });

  it('says what decides whether there are cores', async () => {
    const { live, folder } = await startMaster(0);
    const before = await processState(live.pid);
    const data = dataOf((await runProbe(coredumps, { pid: live.pid })).parsed);
    await expectUnhurt(live.pid, before);
    expect(data.pattern.text.length).toBeGreaterThan(0);
    expect(data.limits.find((limit) => limit.who === 'target')).toMatchObject({ pid: live.pid, soft: 0 });
    expect(data.code.map((each) => each.path).join()).toMatch(/libc\.so/);
    if (coresInFolder()) expect(data.searched.map((each) => each.folder)).toContain(folder);
  });

  it.runIf(coresInFolder())('finds a child’s core: signal, fault, place, build ids', async () => {
    const { live, folder, die } = await startMaster(-1);
    const pid = await die('fault');
    const { parsed, evidence } = await runProbe(coredumps, { pid: live.pid });
    const [core] = dataOf(parsed).cores;
    expect(core).toMatchObject({ signal: 11, code: 1, address: '0x8', pid, parent: live.pid, relation: 'child' });
    expect(core?.path.startsWith(folder)).toBe(true);
    expect(core?.crashedIn?.path).toMatch(/libc/);
    expect(core?.executable?.buildId).toMatch(/^[0-9a-f]{8,}$/);
    expect(core?.executable?.onDisk).toBe(core?.executable?.buildId);
    expect(Buffer.from(evidence.stdout).toString().split('\n')[(core?.at ?? 0) - 1]).toMatch(/^core "/);
  });

  it.runIf(coresInFolder())('tells abort and a signal that somebody sent from a fault', async () => {
    const { live, die } = await startMaster(-1);
    const aborted = await die('abort');
    const abort = dataOf((await runProbe(coredumps, { pid: live.pid })).parsed).cores[0];
    expect(abort).toMatchObject({ signal: 6, pid: aborted, sender: aborted, address: null });
    const killed = await die('sent');
    const sent = dataOf((await runProbe(coredumps, { pid: live.pid })).parsed).cores[0];
    expect(sent).toMatchObject({ signal: 11, pid: killed, sender: live.pid, code: 0 });
  });

  it.runIf(coresInFolder())('says nothing of other programs’ cores, nor of what only bears the name', async () => {
    const { folder, die } = await startMaster(-1);
    await die('fault');
    const stranger = await startPython('import sys; print("ready", flush=True); sys.stdin.read()', [], { cwd: folder });
    expect(dataOf((await runProbe(coredumps, { pid: stranger.pid })).parsed).cores).toEqual([]);
    const own = await startMaster(-1);
    writeFileSync(join(own.folder, 'core.1'), '\x7fELF and no more');
    writeFileSync(join(own.folder, 'core.2'), Buffer.concat([Buffer.from('\x7fELF\x02\x01'), Buffer.alloc(200)]));
    symlinkSync('/etc/passwd', join(own.folder, 'core.3'));
    const data = dataOf((await runProbe(coredumps, { pid: own.live.pid })).parsed);
    expect(data.cores).toEqual([]);
    expect(data.unread.map((each) => each.path)).not.toContain(join(own.folder, 'core.3'));
  });

  it('does not mistake a successor for the process', async () => {
    const { live } = await startMaster(0);
    expect((await runProbe(coredumps, { pid: live.pid, startTime: '17' })).parsed).toMatchObject({
      reason: 'target-gone',
    });
  });
});

describe('coredumps on recorded hosts', () => {
  it('never throws', () => {
    expectNeverThrows(
      coredumps,
      fixtureNames('coredumps').map((name) => fixture('coredumps', name)),
    );
  });

  it.each(fixtureNames('coredumps'))('reads %s as its golden answer', async (name) => {
    const parsed = coredumps.parse(
      evidenceFrom('coredumps', fixture('coredumps', name)),
      stepFor(coredumps, { pid: 1 }),
    );
    if (parsed.ok) CoredumpsData.parse(parsed.data);
    const golden = join(fixtureFolder('coredumps'), name.replace(/txt$/, 'golden'));
    await expect(`${JSON.stringify(parsed, null, 2)}\n`).toMatchFileSnapshot(golden);
  });
});
