import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  canRun,
  examine,
  expectFinding,
  expectHealthy,
  headlines,
  pythons,
  startStanding,
} from '../../support/incident.ts';

const HERE = 'thread-leak';
const WINDOW = { windowSeconds: 3 };
const system = '/usr/bin/python3';
const [older = system, newer = system] = pythons('3.8.18', '3.13.0').slice(1);

it.each([
  ['webhook_sender.py', older, /deliver.*webhook_sender\.py:17.* more within/],
  ['thumbnail_api.py', system, /thread pools are alive/],
  ['session_reaper.py', newer, /Session\.run.*wait in .*Session\.open.*session_reaper\.py:22/],
] as const)('%s leaks threads', async (program, python, title) => {
  const { pid } = await startStanding(`${HERE}/${program}`, { python });
  const report = await examine(pid, WINDOW);
  const finding = expectFinding(report, 'thread-leak', 0.8);
  expect(finding.title).toMatch(title);
  expect(finding.fixes.at(-1)?.code).toContain(`/proc/${pid}/task`);
  expect(headlines(report).map((each) => each.cause)).toEqual(['thread-leak']);
});

const GCC = '/usr/bin/gcc';

it.skipIf(!canRun(GCC))('a program in C leaks threads', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'straceback-threads-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = path.join(folder, 'relay');
  const argv = ['-O1', '-pthread', '-o', file, path.join(import.meta.dirname, 'relay.c')];
  const { status, stderr } = spawnSync(GCC, argv);
  expect(status, String(stderr)).toBe(0);
  const { pid } = await startStanding(file, { by: [] });
  const finding = expectFinding(await examine(pid, WINDOW), 'thread-leak', 0.6);
  expect(finding.title).toMatch(/^\d+ threads, of which \d+ wait in `futex`; \d+ more within/);
});

describe('many threads that are meant', () => {
  it.each(['healthy_many_threads.py', 'healthy_short_threads.py', 'healthy_pool_grows.py'])('%s', async (program) => {
    const { pid } = await startStanding(`${HERE}/${program}`);
    expectHealthy(await examine(pid, WINDOW));
  });
});
