import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { examine, expectFinding, startProgram } from '../../support/incident.ts';
import { canPostgres, type Postgres, startPostgres } from '../../support/postgres.ts';

const HERE = 'db-lock-wait';

const standing = async (program: string, args: readonly string[]) => {
  const live = await startProgram(`${HERE}/${program}`, { args });
  const [, pid, holder] = (await live.line(/^standing /)).split(' ');
  return { pid: Number(pid), holder: Number(holder) };
};

describe.skipIf(!canPostgres())('PostgreSQL', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(async () => {
    await server.stop();
  });

  it.each([
    ['plain', 'local'],
    ['pool', 'tcp'],
    ['table', 'tcp'],
    ['advisory', 'local'],
  ] as const)('says who has a transaction open: %s, %s', async (kind, way) => {
    const { pid, holder } = await standing('stock.py', [server[way], kind]);
    const report = await examine(pid, { windowSeconds: 2 });
    const finding = expectFinding(report, 'db-lock-wait', 0.9);
    expect(finding.title).toContain(`the transaction of process ${holder} is open`);
    expect(finding.related?.[0]).toMatchObject({ pid: holder });
    expect(finding.fixes[0]?.code).toMatch(/pg_blocking_pids\(\d+\)/);
  });

  it('does not take a slow query for a lock', async () => {
    const { pid } = await standing('stock.py', [server.tcp, 'slow']);
    const report = await examine(pid, { windowSeconds: 2 });
    expect(report.findings.map((finding) => finding.cause)).not.toContain('db-lock-wait');
  });
});
