import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { examine, expectFinding, headlines, startStanding } from '../../support/incident.ts';

const HERE = 'native-memory-growth';
const WINDOW = { windowSeconds: 2 };

const folder = mkdtempSync(path.join(tmpdir(), 'straceback-extension-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Where the headers of the system's Python are; null without them or without a compiler. */
const include = ((): string | null => {
  const found = spawnSync('/usr/bin/python3', ['-c', "import sysconfig; print(sysconfig.get_paths()['include'])"]);
  const headers = found.stdout?.toString().trim() ?? '';
  return existsSync(path.join(headers, 'Python.h')) && spawnSync('gcc', ['--version']).status === 0 ? headers : null;
})();

describe('memory that native code asks for and keeps', () => {
  it('by ctypes, in small pieces', async () => {
    const { pid } = await startStanding(`${HERE}/geo_lookup.py`);
    const finding = expectFinding(await examine(pid, WINDOW), HERE, 0.9);
    expect(finding.title).toContain('in malloc’s arenas');
    expect(finding.summary).toMatch(/chunks for 4,008 bytes/);
    expect(finding.summary).toContain('geo_lookup.py');
  });

  it.skipIf(include === null)('by a C extension, in another thread', async () => {
    const source = path.join(import.meta.dirname, 'packed.c');
    execFileSync('gcc', ['-shared', '-fPIC', `-I${include}`, '-o', path.join(folder, 'packed.so'), source]);
    const { pid } = await startStanding(`${HERE}/log_packer.py`, { args: [folder] });
    const finding = expectFinding(await examine(pid, WINDOW), HERE, 0.9);
    expect(finding.summary).toMatch(/`packer`\) was in `pack_lines` \(`.*log_packer\.py:\d+`\)/);
    expect(finding.summary).not.toContain('the main thread was in');
  });

  it('of which Python keeps only the addresses', async () => {
    const { pid } = await startStanding(`${HERE}/handle_pool.py`);
    const finding = expectFinding(await examine(pid, WINDOW), HERE, 0.9);
    expect(finding.summary).toContain('chunks for 20,008 bytes');
  });

  it('by mappings of its own', async () => {
    const { pid } = await startStanding(`${HERE}/frame_grabber.py`);
    const finding = expectFinding(await examine(pid, WINDOW), HERE, 0.5);
    expect(finding.title).toContain('in mappings outside of malloc');
  });
});

describe('memory that grows or moves for other reasons', () => {
  it.each([
    'healthy_filler.py',
    'healthy_longer_values.py',
    'healthy_requests.py',
    'healthy_spool.py',
    'frame_history.py',
    'stream_hub.py',
  ])('%s', async (program) => {
    const { pid } = await startStanding(`${HERE}/${program}`);
    const named = headlines(await examine(pid, WINDOW)).map((finding) => finding.cause);
    for (const cause of [HERE, 'allocator-retention', 'swap-thrash']) expect(named).not.toContain(cause);
  });
});
