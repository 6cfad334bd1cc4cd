import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { databases } from '../../../playbooks/probes/databases.ts';
import { parseFixture } from '../../support/fixture.ts';
import { startProgram } from '../../support/incident.ts';
import { expectSoundOnDamaged } from '../../support/parser-safety.ts';
import { canPostgres, type Postgres, startPostgres } from '../../support/postgres.ts';
import { runProbe, stepFor } from '../../support/run-probe.ts';
import { expectUnhurt, processState } from '../../support/unhurt.ts';

it('is one script with the pid, its start time and the window', () => {
  expect(databases.command(stepFor(databases, { pid: 77, startTime: '5', windowSeconds: 2 }))).toEqual({
    argv: ['/usr/bin/python3', '-I', '-S', '-B', '{script:databases.py}', '77', '5', '2'],
    scripts: ['databases.py', 'proc_files.py'],
  });
});

describe.skipIf(!canPostgres())('a live server', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(async () => {
    await server.stop();
  });

  it.each(['local', 'tcp'] as const)(
    'tells who waits, who has a transaction open, and whose clients they are: %s',
    async (way) => {
      const live = await startProgram('db-lock-wait/stock.py', { args: [server[way], 'plain'] });
      const [, pid, holder] = (await live.line(/^standing /)).split(' ').map(Number);
      const before = await processState(pid ?? 0);
      const { parsed } = await runProbe(databases, { pid: pid ?? 0, windowSeconds: 0.5 });
      await expectUnhurt(pid ?? 0, before);
      if (!parsed.ok) throw new Error(parsed.why);
      const mine = parsed.data.servers.filter((each) => each.server === server.pid);
      expect(mine.find((each) => each.activity === 'UPDATE waiting')).toMatchObject({
        steady: true,
        user: 'shop',
        database: 'postgres',
        client: { pid },
      });
      expect(mine.find((each) => each.activity === 'idle in transaction')).toMatchObject({ client: { pid: holder } });
    },
  );
});

describe('recorded runs', () => {
  it('reads servers and their clients', () => {
    const parsed = parseFixture(databases, 'waiting');
    if (!parsed.ok) throw new Error(parsed.why);
    expect(parsed.data.servers).toHaveLength(2);
    expect(parsed.data.servers[1]).toMatchObject({ activity: 'UPDATE waiting', steady: true, client: { fd: 5 } });
    expect(parseFixture(databases, 'none')).toMatchObject({ ok: true, data: { servers: [] } });
  });

  it('never throws, and never answers with data that its own schema refuses', () => expectSoundOnDamaged(databases));
});
