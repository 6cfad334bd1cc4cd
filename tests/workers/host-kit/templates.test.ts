import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defineProbe, type KnownHost, type Probe, type StepContext } from '../../../playbooks/model/index.ts';
import { loadProbes } from '../../../playbooks/registry.ts';
import { templatesOf } from '../../../workers/host-kit/derive.ts';
import { hostKit } from '../../../workers/host-kit/kit.ts';
import { fillTemplate } from '../../../workers/host-kit/template.ts';
import { writeHostKit } from '../../../workers/host-kit/write.ts';
import type { RemoteStep } from '../../../workers/ssh/remote-step.ts';

const probes = [...(await loadProbes()).values()];
const { templates, files } = await hostKit();

/** Options that people and playbooks give, by probe. */
const ASKED: Readonly<Record<string, readonly object[]>> = {
  'source-lines': [{ places: [{ file: '/srv/ap p/ünïcödé $(id).py', line: 12 }] }, { places: [] }],
  'py-stacks': [{ hz: 7.5 }],
  'py-heap': [{ seconds: 0.7 }, { seconds: 120, refs: "it's a `type`" }],
  'py-bt': [{ locals: true, seconds: 3 }],
  'py-locals': [{ thread: '-worker; rm' }],
  'native-stacks': [{ frames: 17 }],
  strace: [{ lines: 10_000 }, { lines: 100 }],
  gcore: [{ hours: 720 }],
  lsof: [{ pattern: '*?[' }],
  'log-lines': [{ pattern: '"quoted" \\ %s' }],
  'log-tail': [{ pattern: '=' }],
};

const TOOLS = { gdb: '/usr/local/bin/gdb', journalctl: '/bin/journalctl' };

const contexts = (probe: Probe): StepContext[] =>
  [{}, ...(ASKED[probe.id] ?? [])].flatMap((options) =>
    [0.5, 1.7, 3, 0.1 + 0.2 + 0.5, 60].flatMap((windowSeconds) =>
      [null, '/usr/bin/python3', '/opt/python 3/bin/python3.12'].map((python): StepContext => {
        const tools: Readonly<Record<string, string>> = python === null ? {} : TOOLS;
        const runtime = { kind: 'python', version: null } as const;
        const known: KnownHost = { python, tools, runtime, threads: 23, rssKib: 1_234_567, root: true };
        const target = { host: 'h', pid: 4_242, startTime: '987654' };
        return {
          target,
          windowSeconds,
          known,
          options: probe.options.parse(options),
          keepFolder: '/var/tmp/straceback',
        };
      }),
    ),
  );

const stepFrom = (probe: Probe, context: StepContext): RemoteStep => ({
  id: probe.id,
  argv: probe.command(context).argv,
  scripts: [],
  seconds: probe.limits.seconds(context),
  bytes: probe.limits.bytes,
  endWith: probe.limits.endWith,
  ptraces: probe.ptraces,
  target: probe.id === 'identify' ? null : { pid: context.target.pid, startTime: context.target.startTime },
});

describe('what an installed runner may run', () => {
  it.each(probes.map((probe) => [probe.id, probe] as const))('is all that %s runs', (id, probe) => {
    for (const context of contexts(probe)) {
      const step = stepFrom(probe, context);
      const filled = fillTemplate(templates, step);
      expect(filled, JSON.stringify(step.argv)).not.toBeNull();
      const template = templates[filled?.index ?? -1];
      expect(template?.name).toBe(id);
      expect(filled).toMatchObject({ pid: id === 'identify' ? 4_242 : (step.target?.pid ?? 0) });
      expect(template?.seconds).toBeGreaterThanOrEqual(step.seconds);
      expect(template?.endWith).toBe(step.endWith);
      expect(template?.impacts).toEqual(probe.impacts);
    }
  });

  it('is nothing else', () => {
    const lsof = probes.find((probe) => probe.id === 'lsof');
    const [context] = lsof === undefined ? [] : contexts(lsof);
    if (lsof === undefined || context === undefined) throw new Error('there is no lsof');
    const step = stepFrom(lsof, context);
    const refused = (changes: Partial<RemoteStep>) =>
      expect(fillTemplate(templates, { ...step, ...changes })).toBeNull();
    expect(fillTemplate(templates, step)).not.toBeNull();
    refused({ argv: ['sh', '-c', 'id'] });
    refused({ argv: [...step.argv, 'a', 'b'] });
    refused({ argv: [...step.argv, 'line\nline'] });
    refused({ argv: [...step.argv, 'x'.repeat(801)] });
    refused({ argv: ['sh', '{script:lsof.sh}', '4243'] });
    refused({ argv: ['sh', '{script:lsof.sh}', '4242 '] });
    refused({ target: null });
    refused({ bytes: step.bytes + 1 });
    refused({ ptraces: true });
  });

  it('follows from the declaration of a probe', () => {
    const Options = z.strictObject({ most: z.number().int().min(2).max(9), name: z.string().max(5).optional() });
    const probe = defineProbe({
      id: 'x-y',
      title: 't',
      phase: 3,
      impacts: ['slows'],
      ptraces: true,
      needs: { privilege: 'none' },
      limits: { seconds: ({ windowSeconds }) => windowSeconds * 2, bytes: 10, endWith: 'KILL' },
      options: Options,
      data: z.object({}),
      command: ({ target, options, keepFolder }) => {
        const { most, name } = Options.parse(options);
        return {
          argv: [
            'tool',
            '-n',
            String(most),
            String(target.pid),
            '7',
            keepFolder,
            ...(name === undefined ? [] : [name]),
          ],
        };
      },
      parse: () => ({ ok: true, data: {} }),
    });
    const [without, named, ...more] = templatesOf(probe as Probe);
    expect(more).toEqual([]);
    const slots = [
      { kind: 'word', text: 'tool' },
      { kind: 'word', text: '-n' },
      { kind: 'number', min: 2, max: 9 },
      { kind: 'pid' },
      { kind: 'word', text: '7' },
      { kind: 'keep' },
    ];
    expect(without).toMatchObject({ slots, seconds: 120, ptraces: true, endWith: 'KILL', guard: 'always' });
    expect(named?.slots).toEqual([...slots, { kind: 'text', most: 20 }]);
    const glued = { ...probe, command: ({ target }: StepContext) => ({ argv: ['tool', `--pid=${target.pid}`] }) };
    expect(() => templatesOf(glued as Probe)).toThrow(/made of several parts/);
  });

  it('comes with every script that a probe carries', () => {
    const carried = probes.flatMap((probe) => contexts(probe).flatMap((each) => probe.command(each).scripts ?? []));
    for (const name of carried) expect(files.has(`scripts/${name}`), name).toBe(true);
  });

  it('is written into an empty folder alone', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'straceback-kit-'));
    try {
      const version = await writeHostKit(folder);
      expect(readFileSync(path.join(folder, 'version'), 'utf8')).toBe(`${version}\n`);
      expect(readdirSync(folder).sort()).toEqual(
        ['core.sh', 'install.sh', 'limit.sh', 'login', 'runner', 'scripts', 'serve.sh', 'steps.sh', 'version'].sort(),
      );
      await expect(writeHostKit(folder)).rejects.toThrow(/is not empty; name a new folder/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
