import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadPlaybooks } from '../../playbooks/catalog.ts';
import type { Cause, Evidence, Probe, StepContext } from '../../playbooks/model/index.ts';
import { catalogFolder, loadCauses, loadProbes, probesFolder, readProbeScript } from '../../playbooks/registry.ts';

const root = path.resolve(import.meta.dirname, '../..');
const exists = (folder: string) =>
  readdir(path.join(root, folder)).then(
    (names) => names.length > 0,
    () => false,
  );

let probes: ReadonlyMap<string, Probe>;
let causes: ReadonlyMap<string, Cause>;
beforeAll(async () => {
  [probes, causes] = await Promise.all([loadProbes(), loadCauses()]);
});

const context = (probe: Probe): StepContext => ({
  target: { host: 'local', pid: 4242, startTime: '12345' },
  windowSeconds: 3,
  known: {
    python: '/usr/bin/python3',
    tools: {},
    runtime: { kind: 'python', version: '3.11.2' },
    threads: 3,
    rssKib: 2 * 1024 * 1024,
    root: true,
  },
  options: probe.options.parse({}),
  keepFolder: '/var/tmp/straceback',
});

const evidenceOf = (probe: Probe, stdout: Uint8Array): Evidence => ({
  id: 'E1',
  probe: probe.id,
  command: probe.id,
  end: 'exited',
  exit: 0,
  startedAt: 0,
  seconds: 1,
  stdout,
  stderr: new Uint8Array(),
  dropped: 0,
});

describe('every probe', () => {
  it('has its test and its fixtures', async () => {
    for (const id of probes.keys()) {
      expect(await exists(`tests/fixtures/${id}`), `tests/fixtures/${id}`).toBe(true);
      await readFile(path.join(root, 'tests/playbooks/probes', `${id}.test.ts`));
    }
  });

  it('is bounded in time and output, and declares the impact that its phase may have', () => {
    for (const probe of probes.values()) {
      const seconds = probe.limits.seconds(context(probe));
      expect(seconds, probe.id).toBeGreaterThan(0);
      expect(seconds, probe.id).toBeLessThanOrEqual(600);
      expect(probe.limits.bytes, probe.id).toBeLessThanOrEqual(64 * 1024 * 1024);
      if (probe.phase <= 2) expect(probe.impacts, probe.id).toEqual(['none']);
      if (probe.ptraces) expect(probe.impacts, probe.id).not.toContain('none');
      if (probe.ptraces) expect(probe.needs.privilege, probe.id).not.toBe('none');
    }
  });

  it('builds an argv and never a shell string, and brings the scripts that it names', async () => {
    for (const probe of probes.values()) {
      const { argv, scripts = [] } = probe.command(context(probe));
      expect(argv.length, probe.id).toBeGreaterThan(0);
      expect(argv.slice(0, 2), probe.id).not.toEqual(['sh', '-c']);
      const named = argv.flatMap((word) => [...word.matchAll(/\{script:([^}]+)\}/g)].map((match) => match[1]));
      for (const name of named) expect(scripts, probe.id).toContain(name);
      for (const name of scripts) expect((await readProbeScript(name)).length, name).toBeGreaterThan(0);
    }
  });

  it('reads nothing into output that is empty, cut or garbage, and does not throw', () => {
    const samples = ['', '\n\n', 'garbage', '\0\x01\xff', '['.repeat(5000), `${'x'.repeat(100_000)}\n`];
    for (const probe of probes.values()) {
      for (const sample of samples) {
        const parsed = probe.parse(evidenceOf(probe, new TextEncoder().encode(sample)), context(probe));
        if (parsed.ok) expect(probe.data.safeParse(parsed.data).success, probe.id).toBe(true);
        else expect(parsed.why.length, probe.id).toBeGreaterThan(0);
      }
    }
  });

  it('refuses options that it does not have', () => {
    for (const probe of probes.values()) {
      expect(probe.options.safeParse({ nonsense: 1 }).success, probe.id).toBe(false);
    }
  });
});

describe('every cause', () => {
  it('has its test', async () => {
    for (const id of causes.keys()) {
      await readFile(path.join(root, 'tests/playbooks/causes', `${id}.test.ts`));
    }
  });

  it('needs probes that exist and explains causes that can exist', () => {
    for (const cause of causes.values()) {
      for (const probe of cause.needs) expect(probes.get(probe.id), `${cause.id} needs ${probe.id}`).toBe(probe);
      expect(cause.explains, cause.id).not.toContain(cause.id);
      for (const id of cause.explains) expect([...causes.keys()], `${cause.id} explains ${id}`).toContain(id);
      expect(new Set(cause.explains).size, `${cause.id} explains one twice`).toBe(cause.explains.length);
    }
  });

  it('explains no cause by which it is explained itself, over however many others', () => {
    const rings: string[] = [];
    const follow = (id: string, path: readonly string[]) => {
      if (path.includes(id)) {
        rings.push([...path.slice(path.indexOf(id)), id].join(' > '));
        return;
      }
      for (const next of causes.get(id)?.explains ?? []) follow(next, [...path, id]);
    };
    for (const id of causes.keys()) follow(id, []);
    expect(rings).toEqual([]);
  });

  it('leaves healthy out: it explains nothing and nothing explains it', () => {
    expect(causes.get('healthy')?.explains).toEqual([]);
    for (const cause of causes.values()) expect(cause.explains, cause.id).not.toContain('healthy');
  });

  it('is asked by the default playbook', async () => {
    const triage = (await loadPlaybooks([catalogFolder], probes)).get('triage');
    const ids = triage?.steps.map((step) => step.probe) ?? [];
    for (const cause of causes.values()) {
      for (const probe of cause.needs) expect(ids, cause.id).toContain(probe.id);
    }
  });
});

describe('the probes’ folder', () => {
  it('holds only units, their parts and the scripts that some probe carries', async () => {
    const carried = new Set([...probes.values()].flatMap((probe) => probe.command(context(probe)).scripts ?? []));
    for (const name of await readdir(probesFolder)) {
      if (/^[a-z-]+(\.[a-z-]+)?\.ts$/.test(name) || name === '__pycache__') continue;
      if (!carried.has(name)) {
        const sources = await Promise.all(
          [...probes.keys()].map((id) => readFile(path.join(probesFolder, `${id}.ts`), 'utf8')),
        );
        expect(
          sources.some((source) => source.includes(name)),
          `${name} is carried by no probe`,
        ).toBe(true);
      }
    }
  });
});
