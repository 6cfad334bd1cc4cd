import { describe, expect, test } from 'vitest';
import { takeAlert } from '../../../bot/alerts/intake.ts';
import { readySources } from '../../../bot/alerts/ready.ts';
import { loadAlertSources } from '../../../bot/registry.ts';
import {
  ALL_SOURCES,
  alertFixtures,
  alertIntakeForTest,
  alertPayload,
  alertServerForTest,
  collectingQueue,
  intakeSettings,
  NOW,
  OLD_SECRET,
  PROOFS,
  post,
  proof,
  SECRET,
  untilErrands,
} from '../../support/alert-intake.ts';
import { redisForTest } from '../../support/queue.ts';

const ways = Object.entries(PROOFS).flatMap(([source, each]) => Object.keys(each).map((way) => [source, way] as const));
/** A fixture of the source that brings one firing notice. */
const firingFixture = (source: string) => {
  const told = [...alertFixtures(source).values()].find(({ expect: [first] }) => first?.status === 'firing');
  if (told === undefined) throw new Error(`${source} has no fixture that fires`);
  return told;
};
const firing = (source: string): string => JSON.stringify(firingFixture(source).payload);
const MINUTE = 60_000;

describe.each(ways)('%s by %s', (source, way) => {
  test('is taken with either secret, once, and queued before it is acknowledged', async () => {
    const settings = intakeSettings({ [source]: way }, [SECRET, OLD_SECRET]);
    const { queue, errands, url } = await alertIntakeForTest({ settings });
    const body = firing(source);
    const first = await post(url(source), body, proof(source, way, body));
    expect(first).toMatchObject({ status: 202, body: { ok: true, message: 'Queued.' } });
    const again = await post(url(source), body, proof(source, way, body));
    expect(again).toMatchObject({ status: 202, body: { ok: true, message: 'Taken before.' } });
    const byOld = await post(url(source), body, proof(source, way, body, OLD_SECRET));
    expect(byOld.status).toBe(202);
    const [notice] = await untilErrands(queue, errands, 1);
    expect(notice).toMatchObject({ source, at: NOW, ...firingFixture(source).expect[0] });
    expect(errands[0]).toMatchObject({ errand: 'alert', at: NOW });
  });

  test('is refused when it proves nothing or the wrong thing', async () => {
    const { queue, errands, url } = await alertIntakeForTest({ settings: intakeSettings({ [source]: way }) });
    const body = firing(source);
    const none = await post(url(source), body);
    expect(none.status).toBe(401);
    expect(none.body.error).toMatch(/header .* missing|has no/);
    const wrong = await post(url(source), body, proof(source, way, body, 'another-secret-9876543210'));
    expect(wrong.status).toBe(403);
    const empty = Object.fromEntries(Object.keys(proof(source, way, body)).map((name) => [name, '']));
    expect([401, 403]).toContain((await post(url(source), body, empty)).status);
    if (way === 'hmac') {
      const changed = `${body.slice(0, -1)} }`;
      expect(await post(url(source), changed, proof(source, way, body))).toMatchObject({ status: 403 });
    }
    for (const { body: answer } of [none, wrong]) expect(JSON.stringify(answer)).not.toContain(SECRET);
    await untilErrands(queue, errands, 0);
  });

  test('is told in one sentence what is wrong with what it sends', async () => {
    const { queue, errands, url } = await alertIntakeForTest({ settings: intakeSettings({ [source]: way }) });
    const send = (body: string) => post(url(source), body, proof(source, way, body));
    expect(await send('{"group": ')).toMatchObject({ status: 400, body: { error: 'The body is not JSON.' } });
    expect(await send('')).toMatchObject({ status: 400, body: { error: 'The body is empty; it has to be JSON.' } });
    expect(await send('['.repeat(200_000))).toMatchObject({
      status: 400,
      body: { error: expect.stringContaining('nested deeper') },
    });
    for (const odd of ['{}', '[]', 'null', '"text"', '{"event":{}}', '{"data":{"event":{}},"action":"triggered"}']) {
      const answer = await send(odd);
      expect(answer.status, odd).toBe(422);
      expect(answer.body.error, odd).toMatch(new RegExp(`^Not the payload of ${source}: .+\\.$`));
      expect(answer.body.error?.length ?? 0).toBeLessThan(500);
    }
    await untilErrands(queue, errands, 0);
  });
});

const timed = [
  ['grafana', 'X-Grafana-Alerting-Timestamp'],
  ['sentry', 'Sentry-Hook-Timestamp'],
  ['generic', 'X-Straceback-Timestamp'],
] as const;

test.each(timed)(
  '%s: a time that is old or in the future is refused, whatever the signature',
  async (source, header) => {
    const { queue, errands, url } = await alertIntakeForTest({ settings: intakeSettings({ [source]: 'hmac' }) });
    const body = firing(source);
    const at = (ms: number) => post(url(source), body, proof(source, 'hmac', body, SECRET, NOW + ms));
    const old = await at(-6 * MINUTE);
    expect(old).toMatchObject({ status: 403 });
    expect(old.body.error).toBe(
      `${header} is older than five minutes: send it again with a new time, or set the clock.`,
    );
    const early = await at(6 * MINUTE);
    expect(early.body.error).toBe(`${header} is more than five minutes in the future: set the clock.`);
    for (const odd of ['', 'now', '-1', '1e9', '99999999999999999999']) {
      const headers = { ...proof(source, 'hmac', body), [header.toLowerCase()]: odd };
      expect([401, 403], odd).toContain((await post(url(source), body, headers)).status);
    }
    expect(await at(-4 * MINUTE)).toMatchObject({ status: 202 });
    await untilErrands(queue, errands, 1);
  },
);

test('PagerDuty: events older than a day or from the future are refused, their time is in the signed body', async () => {
  const { queue, errands, url } = await alertIntakeForTest();
  const at = (ms: number) => {
    const payload = alertPayload('pagerduty', 'triggered') as { event: Record<string, unknown> };
    payload.event.occurred_at = new Date(NOW + ms).toISOString();
    payload.event.id = `event-${ms}`;
    const body = JSON.stringify(payload);
    return post(url('pagerduty'), body, proof('pagerduty', 'hmac', body));
  };
  expect(await at(-25 * 60 * MINUTE)).toMatchObject({
    status: 403,
    body: { error: expect.stringContaining('older than a day') },
  });
  expect(await at(6 * MINUTE)).toMatchObject({
    status: 403,
    body: { error: expect.stringContaining('in the future') },
  });
  expect(await at(-60 * MINUTE)).toMatchObject({ status: 202 });
  await untilErrands(queue, errands, 1);
});

test('PagerDuty: one of several signatures is enough, as while its secret is changed', async () => {
  const { queue, errands, url } = await alertIntakeForTest({
    settings: intakeSettings({ pagerduty: undefined }, [OLD_SECRET, SECRET]),
  });
  const body = firing('pagerduty');
  const right = proof('pagerduty', 'hmac', body)['x-pagerduty-signature'] ?? '';
  const send = (signature: string) => post(url('pagerduty'), body, { 'x-pagerduty-signature': signature });
  const wrong = `v1=${'0'.repeat(64)}`;
  expect((await send(`${wrong},${right}`)).status).toBe(202);
  expect((await send(`${wrong}, ${wrong}`)).status).toBe(403);
  expect((await send(right.replace('v1=', 'v2='))).status).toBe(401);
  expect((await send(`${Array.from({ length: 12 }, () => wrong).join(',')},${right}`)).status).toBe(403);
  await untilErrands(queue, errands, 1);
});

test('an event of PagerDuty that is delivered again in other bytes is one errand', async () => {
  const { queue, errands, url } = await alertIntakeForTest();
  const payload = alertPayload('pagerduty', 'triggered');
  for (const body of [JSON.stringify(payload), JSON.stringify(payload, null, 1)]) {
    expect((await post(url('pagerduty'), body, proof('pagerduty', 'hmac', body))).status).toBe(202);
  }
  await untilErrands(queue, errands, 1);
});

test('a captured issue alert of Sentry is told once, though its time is not signed', async () => {
  let now = NOW;
  const { queue, errands, url } = await alertIntakeForTest({ now: () => now });
  const body = firing('sentry');
  expect((await post(url('sentry'), body, proof('sentry', 'hmac', body))).status).toBe(202);
  now += 60 * MINUTE;
  const later = await post(url('sentry'), body, proof('sentry', 'hmac', body, SECRET, now));
  expect(later).toMatchObject({ status: 202, body: { message: 'Taken before.' } });
  await untilErrands(queue, errands, 1);
});

test('the same words of a generic sender said again later are another alert, a repeated request is not', async () => {
  const { queue, errands, url } = await alertIntakeForTest();
  const body = firing('generic');
  const send = (at: number) => post(url('generic'), body, proof('generic', 'hmac', body, SECRET, at));
  await send(NOW);
  await send(NOW);
  expect((await send(NOW + MINUTE)).body.message).toBe('Queued.');
  await untilErrands(queue, errands, 2);
});

test('what is sent again is known before its words are looked through once more', async () => {
  const redis = await redisForTest();
  const { queue, errands } = collectingQueue(redis.url);
  const [body, headers] = [
    Buffer.from(firing('alertmanager')),
    proof('alertmanager', 'bearer', firing('alertmanager')),
  ];
  const ready = readySources(intakeSettings({ alertmanager: 'bearer' }), await loadAlertSources()).get('alertmanager');
  if (ready === undefined) throw new Error('the source is not ready');
  const cleaned: string[] = [];
  const take = () =>
    takeAlert(ready, { body, headers, now: NOW }, queue, async (notice) => {
      cleaned.push(notice.group);
      return { ...notice, title: 'looked through' };
    });
  expect((await take()).sentence).toBe('Queued.');
  expect((await take()).sentence).toBe('Taken before.');
  expect(cleaned).toHaveLength(1);
  expect(await untilErrands(queue, errands, 1)).toMatchObject([{ title: 'looked through' }]);
});

test('a delivery that comes to many bots at once is one errand', async () => {
  const redis = await redisForTest();
  const first = collectingQueue(redis.url);
  const second = collectingQueue(redis.url);
  const limits = { queueMs: 15_000 };
  const servers = [
    await alertServerForTest({ queue: first.queue, limits }),
    await alertServerForTest({ queue: second.queue, limits }),
  ];
  const body = firing('alertmanager');
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      post(servers[index % 2]?.url('alertmanager') ?? '', body, proof('alertmanager', 'bearer', body)),
    ),
  );
  for (const { status } of answers) expect(status).toBe(202);
  await expect.poll(() => first.errands.length + second.errands.length, { timeout: 30_000 }).toBe(1);
  await expect.poll(async () => (await first.queue.pending()).intake, { timeout: 30_000 }).toBe(0);
  expect(first.errands.length + second.errands.length).toBe(1);
});

test('events that say nothing about an alert are acknowledged and not queued', async () => {
  const { queue, errands, url } = await alertIntakeForTest();
  for (const source of Object.keys(ALL_SOURCES)) {
    for (const [name, fixture] of alertFixtures(source)) {
      if (fixture.expect.length > 0) continue;
      const body = JSON.stringify(fixture.payload);
      const way = Object.keys(PROOFS[source] ?? {})[0] ?? '';
      const answer = await post(url(source), body, proof(source, way, body));
      expect(answer, name).toMatchObject({
        status: 202,
        body: { message: 'Nothing to do for an event of this kind.' },
      });
    }
  }
  await untilErrands(queue, errands, 0);
});
