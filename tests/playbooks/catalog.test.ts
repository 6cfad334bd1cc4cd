import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BadPlaybooks, loadPlaybooks, readPlaybook } from '../../playbooks/catalog.ts';
import type { Probe } from '../../playbooks/model/index.ts';
import { catalogFolder, loadProbes } from '../../playbooks/registry.ts';

let probes: ReadonlyMap<string, Probe>;
let folder: string;
beforeAll(async () => {
  probes = await loadProbes();
  folder = await mkdtemp(path.join(tmpdir(), 'playbooks-'));
});
afterAll(() => rm(folder, { recursive: true }));

const faultsOf = (text: string, file = 'mine.yaml') => {
  const result = readPlaybook(file, text, probes);
  return 'faults' in result ? result.faults : [];
};

const GOOD = 'id: mine\ntitle: Mine\ndescription: Ours.\nsteps:\n  - probe: identify\n';

describe('the catalog', () => {
  it('holds the playbooks that people are promised, each starting with who it is', async () => {
    const playbooks = await loadPlaybooks([catalogFolder], probes);
    expect([...playbooks.keys()].sort()).toEqual(
      expect.arrayContaining(['cpu', 'gcore', 'hang', 'locks', 'lsof', 'py-bt', 'slow', 'strace', 'tcpdump', 'triage']),
    );
    for (const playbook of playbooks.values()) expect(playbook.steps[0]?.probe).toBe('identify');
  });

  it('takes the playbooks of a site beside its own, the later ones winning', async () => {
    await writeFile(path.join(folder, 'mine.yaml'), GOOD);
    await writeFile(path.join(folder, 'hang.yaml'), GOOD.replace('id: mine', 'id: hang'));
    const playbooks = await loadPlaybooks([catalogFolder, folder], probes);
    expect(playbooks.get('mine')?.title).toBe('Mine');
    expect(playbooks.get('hang')?.title).toBe('Mine');
  });

  it('reads a good one', () => expect(faultsOf(GOOD)).toEqual([]));

  it.each([
    ['YAML that does not parse', 'id: [mine\ntitle: x', 2, /./],
    ['a probe that does not exist', `${GOOD}  - probe: x-ray\n`, 6, /no probe is called x-ray/],
    ['a word that playbooks do not have', `${GOOD}colour: red\n`, 1, /colour/],
    ['a window that is too long', `${GOOD}windowSeconds: 900\n`, 6, /windowSeconds/],
    [
      'an option that the probe does not have',
      `${GOOD}  - probe: strace\n    options:\n      nonsense: 1\n`,
      6,
      /nonsense/,
    ],
    ['an id that is not the file’s name', GOOD.replace('id: mine', 'id: other'), 1, /file's name says mine/],
    ['no steps', 'id: mine\ntitle: Mine\ndescription: Ours.\nsteps: []\n', 4, /steps/],
  ])('names file, line and reason for %s', (_, text, line, reason) => {
    const faults = faultsOf(text);
    expect(faults.map((each) => each.reason).join('\n')).toMatch(reason);
    expect(faults[0]?.file).toBe('mine.yaml');
    expect(faults.map((each) => each.line).some((each) => each >= line && each <= line + 2)).toBe(true);
  });

  it('refuses to start with every fault of every file', async () => {
    const bad = await mkdtemp(path.join(tmpdir(), 'bad-playbooks-'));
    try {
      await writeFile(path.join(bad, 'a.yaml'), 'id: a\n');
      await writeFile(path.join(bad, 'b.yaml'), `${GOOD}  - probe: x-ray\n`);
      const error = await loadPlaybooks([bad], probes).catch((caught: unknown) => caught);
      expect(error).toBeInstanceOf(BadPlaybooks);
      expect(String(error)).toMatch(/a\.yaml:1: title/);
      expect(String(error)).toMatch(/b\.yaml:6: no probe is called x-ray/);
    } finally {
      await rm(bad, { recursive: true });
    }
  });

  it('says that a folder is missing', async () => {
    await expect(loadPlaybooks(['/nowhere/at/all'], probes)).rejects.toThrow(/cannot be read \(ENOENT\)/);
  });
});
