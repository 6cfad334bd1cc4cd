import { expect, it } from 'vitest';
import { examine, expectFinding, startProgram } from '../../support/incident.ts';
import { untilState } from '../../support/live-process.ts';
import { processState } from '../../support/unhurt.ts';

it('names a process that somebody sent SIGSTOP, and how to continue it', async () => {
  const live = await startProgram('process-stopped/counter.py');
  await live.line(/^ready/);
  process.kill(live.pid, 'SIGSTOP');
  await untilState(live.pid, 'T');
  const finding = expectFinding(await examine(live.pid), 'process-stopped', 0.9);
  expect(finding.title).toContain('state T');
  expect(finding.fixes[0]?.code).toContain(`kill -CONT ${live.pid}`);
  expect((await processState(live.pid)).letter).toBe('T');
});

it('names the rest of the job that is stopped too', async () => {
  const live = await startProgram('process-stopped/stops_itself.py');
  await live.line(/^stopping/);
  await untilState(live.pid, 'T');
  const finding = expectFinding(await examine(live.pid), 'process-stopped', 0.9);
  expect(finding.related?.length).toBe(1);
  expect(finding.related?.[0]?.pid).not.toBe(live.pid);
});

it('names the tracer that holds a process', async () => {
  const live = await startProgram('process-stopped/counter.py');
  await live.line(/^ready/);
  const tracer = await startProgram('process-stopped/tracer.py', { args: [String(live.pid)] });
  await tracer.line(/^attached/);
  const finding = expectFinding(await examine(live.pid, { unhurt: false }), 'process-stopped', 0.9);
  expect(finding.title).toContain(String(tracer.pid));
  expect(finding.related).toEqual([{ pid: tracer.pid, why: expect.stringContaining('traces') }]);
  expect(finding.fixes[0]?.code).toContain(`kill -TERM ${tracer.pid}`);
  const [main] = (await processState(live.pid)).threads.values();
  expect(main?.tracer).toBe(tracer.pid);
});
