import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type AuditEntry, openAudit } from '../../infra/audit.ts';
import { readAudit } from '../../infra/audit-read.ts';
import { silentLog } from '../../infra/log.ts';
import type { Evidence, Probe } from '../../playbooks/model/index.ts';
import { lookAudit } from '../../workers/audit.ts';
import { loadKnowledge } from '../../workers/knowledge.ts';
import { keptLog, requestForTest } from '../support/queue.ts';

const { probes } = await loadKnowledge();
const probe = (id: string): Probe => {
  const found = probes.get(id);
  if (found === undefined) throw new Error(`there is no probe ${id}`);
  return found;
};

const TARGET = { host: 'web-7', pid: 6325, startTime: '4711' };
const EVIDENCE: Evidence = {
  id: 'E2',
  probe: 'gcore',
  command: 'sh gcore.sh',
  end: 'exited',
  exit: 0,
  startedAt: 0,
  seconds: 3.21,
  stdout: new Uint8Array(),
  stderr: new Uint8Array(),
  dropped: 0,
};

const newFolder = async (): Promise<string> => {
  const folder = await mkdtemp(path.join(tmpdir(), 'straceback-audit-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
};

test('a step is written down with who asked, where and what, before it runs and after', async () => {
  const folder = await newFolder();
  const request = requestForTest({ playbook: 'gcore', allow: ['none', 'slows', 'stops', 'writes-disk'] });
  const audit = lookAudit(openAudit({ folder, side: 'worker' }), silentLog);
  await audit.began(request);
  expect(await audit.steps(request).began(probe('gcore'), TARGET)).toBeNull();
  await audit.steps(request).ended(probe('gcore'), TARGET, EVIDENCE);
  await audit.ended(request, 'No fault found');
  const entries: AuditEntry[] = [];
  for await (const line of readAudit(folder)) if (line.ok) entries.push(line.entry);
  const everywhere = {
    request: request.id,
    user: 'U1',
    team: 'T1',
    channel: 'C1',
    host: 'web-7',
    pid: 6325,
    side: 'worker',
  };
  expect(entries).toMatchObject([
    { ...everywhere, event: 'look-began', impacts: request.allow },
    { ...everywhere, event: 'step-began', probe: 'gcore', impacts: ['stops', 'writes-disk'], startTime: '4711' },
    { ...everywhere, event: 'step-ended', outcome: 'exit 0 after 3.2 s' },
    { ...everywhere, event: 'look-ended', outcome: 'No fault found' },
  ]);
});

test('without the log nothing runs that does more than slow the process, and the reason is one sentence', async () => {
  const folder = await newFolder();
  await writeFile(path.join(folder, 'file'), '');
  const log = keptLog();
  const request = requestForTest();
  const steps = lookAudit(openAudit({ folder: path.join(folder, 'file', 'audit'), side: 'worker' }), log).steps(
    request,
  );
  for (const id of ['gcore', 'py-bt', 'native-stacks', 'ltrace']) {
    const refused = await steps.began(probe(id), TARGET);
    expect(refused).toMatchObject({ seen: false, reason: 'not-allowed' });
    expect(refused?.seen === false && refused.why).toMatch(
      new RegExp(
        `^${id} was not run: what has the impact .* must be written into the audit log first\\. The audit log cannot be written`,
      ),
    );
  }
  for (const id of ['strace', 'tcpdump']) expect(await steps.began(probe(id), TARGET)).toBeNull();
  expect(log.lines.filter(({ level }) => level === 'error')).toHaveLength(6);
});
