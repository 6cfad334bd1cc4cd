import { afterEach, expect, it } from 'vitest';
import type { Report } from '../../../playbooks/model/index.ts';
import { debianPythons } from '../../support/every-interpreter.ts';
import { canRun, examine, examineFully, startStanding, untilBurnt } from '../../support/incident.ts';
import { endProcesses, startPython } from '../../support/live-process.ts';
import { hasModule } from '../../support/python-modules.ts';

afterEach(endProcesses);

const PICKS = `
def pick(pool, want):
    taken = []
    while pool and len(taken) < want:
        for index, host in enumerate(pool):
            if host < 0:
                taken.append(host)
    return taken

print('ready', flush=True)
pick(list(range(60)), 5)
`;

/** All that is said besides what was read. */
const told = ({ caveats, shown }: Report): string => [...caveats, shown?.why ?? ''].join('\n');

const CORE = { playbook: 'gcore', allow: ['stops', 'writes-disk'] } as const;

it.skipIf(!hasModule('eventlet') || !canRun('/usr/bin/gdb'))(
  'keeps a core of the eventlet service that spins, and names function and line from it',
  async () => {
    const { pid } = await startStanding('busy-loop/green_recall.py');
    const { report, files } = await examineFully(pid, CORE);
    const lines = report.shown?.lines ?? [];
    expect(lines[0]).toMatch(new RegExp(`/cores/core\\.${pid}\\.\\d+\\.\\S+, .* mode 0600, of process ${pid}$`));
    expect(lines[1]).toBe(`thread ${pid}, which ran when it was taken:`);
    expect(lines[2]).toMatch(/^ {2}NewUserRecall\.get_anchor_by_sn {2}\S+green_recall\.py:(?:29|3[0-7])$/);
    expect(lines[3]).toMatch(/get_predict_anchor/);
    expect(lines.find((line) => /^ {2}C _PyEval_EvalFrameDefault/.test(line))).toBeDefined();
    expect(told(report)).toContain('comes from a core');
    expect(report.impact.steps.map((step) => step.probe)).toEqual(['identify', 'gcore', 'kept-core']);
    const kept = files.find((file) => file.probe === 'kept-core')?.text ?? '';
    const [, ran, now] = /executable \S+ build id ([0-9a-f]+), on disk ([0-9a-f]+)/.exec(kept) ?? [];
    expect(ran).toMatch(/^[0-9a-f]{40}$/);
    expect(now).toBe(ran);
  },
);

it('runs no code in a service that spins, whoever allowed it, and says why', async () => {
  const live = await startPython(PICKS);
  await untilBurnt(live.pid, 0.2);
  const report = await examine(live.pid, { playbook: 'pyrasite', allow: ['slows', 'risks-death'] });
  expect(told(report)).toMatch(/nothing was run in process \d+: it spins: its main thread ran in 2\.0 s without pause/);
});

/** Debian's Pythons bring neither debug information nor gdb's helper: the article's situation. */
const bare = debianPythons.filter(({ version }) => version === '3.13');

it.skipIf(bare.length === 0 || !canRun('/usr/bin/gdb')).each(bare)(
  'gives C frames where py-bt can read no others, says so, and reads the Python frames from the core (%o)',
  async ({ python }) => {
    const live = await startPython(PICKS, [], { python });
    await untilBurnt(live.pid, 0.2);
    const bt = await examine(live.pid, { playbook: 'py-bt', allow: ['stops'] });
    expect(bt.shown?.lines.join('\n')).toContain('_PyEval_EvalFrameDefault');
    expect(told(bt)).toMatch(/only C frames could be read: .*helper for Python is missing/i);
    const core = await examine(live.pid, CORE);
    expect(core.shown?.lines.join('\n')).toMatch(/thread \d+, which ran when it was taken:\n {2}pick {2}<string>:\d+/);
    expect(told(core)).toContain('debug information is not installed');
    expect(told(core)).not.toContain('what lies there now');
  },
);
