import { expect, onTestFinished, test } from 'vitest';
import { BadConfig, readConfig } from '../../../infra/config.ts';
import { silentLog } from '../../../infra/log.ts';
import { startBoard } from '../../../infra/queue/board.ts';
import { openBotQueue } from '../../../infra/queue/bot-side.ts';
import { redisForTest, requestForTest } from '../../support/queue.ts';

const BOARD = { port: 0, address: '127.0.0.1', user: 'straceback', password: 'a long password' };

const as = (user: string, password: string) => ({
  headers: { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` },
});

test('the board is for who knows the password, shows the queues, and changes nothing', async () => {
  const redis = await redisForTest();
  const queue = openBotQueue({ redisUrl: redis.url, log: silentLog });
  onTestFinished(() => queue.close());
  const request = requestForTest();
  await queue.enqueue(request);
  await queue.accept({
    kind: 'mention',
    id: 'Ev1',
    team: 'T1',
    channel: 'C1',
    user: 'U1',
    ts: '1700000000.000100',
    text: 'my password is hunter22 and the prod database is on fire',
    at: Date.now(),
  });
  const board = await startBoard(BOARD, redis.url, silentLog);
  onTestFinished(() => board.close());
  const at = (path: string) => `http://127.0.0.1:${board.port}${path}`;

  for (const wrong of [{}, as('straceback', 'wrong'), as('', ''), { headers: { authorization: 'Basic' } }]) {
    const answer = await fetch(at('/api/queues'), wrong);
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toContain('Basic');
    expect(await answer.text()).not.toContain('looks');
  }
  const known = as('straceback', 'a long password');
  const page = await fetch(at('/'), known);
  expect(page.status).toBe(200);
  expect(await page.text()).toContain('Straceback');

  const shown = await fetch(at(`/api/queues?activeQueue=intake&status=latest&page=1&jobsPerPage=10`), known);
  expect(shown.status).toBe(200);
  const text = await shown.text();
  expect(text).toContain('intake-Ev1');
  expect(text).toContain('[hidden]');
  expect(text).not.toMatch(/hunter22|on fire/);
  const looks = await (await fetch(at(`/api/queues?activeQueue=looks&status=latest&page=1`), known)).text();
  expect(looks).toContain(request.id);
  expect(looks).toContain('triage');

  for (const [method, path] of [
    ['PUT', '/api/queues/looks/pause'],
    ['PUT', `/api/queues/looks/look-${request.id}/clean`],
    ['POST', '/api/queues/looks/add'],
    ['DELETE', '/api/queues/looks'],
  ] as const) {
    expect((await fetch(at(path), { ...known, method })).status).toBe(405);
  }
  expect((await queue.status()).waiting).toBe(1);
});

test('a board without a good password is refused at the start', () => {
  const file = new URL('../../fixtures/config/board.yaml', import.meta.url).pathname;
  expect(() => readConfig(file, {})).toThrow(/board.*STRACEBACK_BOARD_PASSWORD/);
  expect(() => readConfig(file, { STRACEBACK_BOARD_PASSWORD: 'short' })).toThrow(BadConfig);
  expect(readConfig(file, { STRACEBACK_BOARD_PASSWORD: 'long enough for this' }).board).toMatchObject({ port: 9465 });
  expect(readConfig(file, { STRACEBACK_BOARD_PASSWORD: 'long enough for this' }).health).toBeUndefined();
});
