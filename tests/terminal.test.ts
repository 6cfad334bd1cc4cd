import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Sshd } from '../infra/sandbox/sshd.ts';
import { Report } from '../playbooks/model/index.ts';
import { endPrograms, startStanding } from './support/incident.ts';
import { endSshd, testSshd } from './support/sshd.ts';
import { expectUnhurt, processState } from './support/unhurt.ts';

/** The built program, as a person runs it; `npm test` builds it first. */
const ENTRY = path.resolve(import.meta.dirname, '../dist/straceback.js');

const straceback = (...words: string[]): Promise<{ code: number; out: string; err: string }> =>
  new Promise((resolve) => {
    execFile(process.execPath, [ENTRY, ...words], { maxBuffer: 1 << 26 }, (error, out, err) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, out, err });
    });
  });

let sshd: Sshd;
let folder: string;
let reach: string[];
beforeAll(async () => {
  sshd = await testSshd();
  folder = await mkdtemp(path.join(tmpdir(), 'terminal-'));
  reach = [
    '--port',
    String(sshd.port),
    '--user',
    sshd.user,
    '--identity',
    sshd.identityFile,
    '--known-hosts',
    sshd.knownHostsFile,
  ];
});
afterAll(async () => {
  await endSshd();
  await rm(folder, { recursive: true, force: true });
});
afterEach(endPrograms);

/** The address of the throw-away sshd, as a host name of the command line. */
const HOST = '127.0.0.1';

describe('straceback diagnose', () => {
  test('answers in JSON over SSH, leaves the evidence in a folder and the process as it was', async () => {
    const { pid } = await startStanding('healthy/idle_server.py');
    const before = await processState(pid);
    const out = path.join(folder, 'look');
    const {
      code,
      out: json,
      err,
    } = await straceback('diagnose', HOST, String(pid), '--window', '1', '--json', '--out', out, ...reach);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const report = Report.parse(JSON.parse(json));
    expect(report.target).toMatchObject({ host: HOST, pid, startTime: before.startTime });
    expect(report.findings.filter((each) => each.confidence >= 0.5 && each.cause !== 'healthy')).toEqual([]);
    await expectUnhurt(pid, before);
    const names = await readdir(out);
    expect(names).toEqual(expect.arrayContaining(['report.json', 'report.txt']));
    for (const { id, probe } of report.evidence) expect(names).toContain(`${id}-${probe}.txt`);
    expect(JSON.parse(await readFile(path.join(out, 'report.json'), 'utf8'))).toEqual(report);
    // Every quote stands literally on its line of the evidence that was written down.
    for (const { evidenceId, line, text } of report.findings.flatMap((finding) => finding.evidence)) {
      const file = names.find((name) => name.startsWith(`${evidenceId}-`)) ?? '';
      expect((await readFile(path.join(out, file), 'utf8')).split('\n')[line - 1]).toBe(text);
    }
  });

  test('answers as text on this machine', async () => {
    const { pid } = await startStanding('healthy/idle_server.py');
    const { code, out } = await straceback('diagnose', 'local', String(pid), '--window', '1');
    expect(code).toBe(0);
    expect(out).toContain(`Process ${pid} on local, CPython 3.`);
  });

  test('answers in Chinese when that is asked for', async () => {
    const { pid } = await startStanding('healthy/idle_server.py');
    const { code, out } = await straceback('diagnose', 'local', String(pid), '--window', '1', '--lang', 'zh');
    expect(code).toBe(0);
    expect(out).toContain(`local 上的进程 ${pid}，CPython 3.`);
    expect(out).toContain('未发现异常');
    const failed = await straceback('diagnose', 'local', '4194303', '--lang', 'zh');
    expect(failed.code).toBe(3);
    expect(failed.err).toContain('local 上没有进程 4194303');
  });

  const unreachable = (): [string, string[], RegExp][] => [
    ['a pid that is gone', ['diagnose', 'local', '4194303'], /There is no process 4194303 on local/],
    ['a port where nobody listens', ['diagnose', HOST, '1', ...reach.with(1, '1')], /127\.0\.0\.1/],
    ['a host key that nobody vouched for', ['diagnose', HOST, '1', ...reach.with(7, '/dev/null')], /host key/i],
    ['a key file that is not there', ['diagnose', HOST, '1', ...reach.with(5, '/nowhere/key')], /\/nowhere\/key/],
    [
      'a playbook that is not there',
      ['diagnose', 'local', '1', '--playbook', 'dance'],
      /no playbook called dance.*triage/,
    ],
  ];
  test.each([0, 1, 2, 3, 4])('says in one sentence what is wrong and exits with 3 (%i)', async (index) => {
    const [what, words, sentence] = unreachable()[index] ?? ['', [], /./];
    const { code, out, err } = await straceback(...words);
    expect({ what, code, out }).toEqual({ what, code: 3, out: '' });
    expect(err).toMatch(sentence);
    expect(err.trim().split('\n'), err).toHaveLength(1);
  });

  test('exits with 2 for wrong usage and for a configuration or a playbook that is wrong', async () => {
    expect(await straceback('diagnose', 'local')).toMatchObject({
      code: 2,
      out: '',
      err: expect.stringMatching(/Usage/),
    });
    expect(await straceback('dance')).toMatchObject({ code: 2, err: expect.stringMatching(/no command "dance"/) });
    const playbooks = path.join(folder, 'bad.yaml');
    await writeFile(playbooks, 'id: bad\n');
    const config = path.join(folder, 'straceback.yaml');
    await writeFile(config, `playbooks: ${folder}\n`);
    const bad = await straceback('diagnose', 'local', '1', '--config', config);
    expect(bad).toMatchObject({ code: 2, err: expect.stringMatching(/bad\.yaml:1: title/) });
  });
});

describe('straceback doctor', () => {
  test('tells what is reachable, and which tools and rights are there', async () => {
    const { code, out } = await straceback('doctor', HOST, ...reach);
    expect(code).toBe(0);
    expect(out).toMatch(/127\.0\.0\.1: reachable/);
    expect(out).toMatch(/found {4}strace/);
    const { out: json } = await straceback('doctor', 'local', '--json');
    expect(JSON.parse(json)).toMatchObject({ host: 'local', tools: { strace: expect.any(String) }, install: null });
  });

  test('exits with 3 when the host cannot be reached', async () => {
    expect(await straceback('doctor', HOST, ...reach.with(1, '1'))).toMatchObject({ code: 3, out: '' });
  });
});
