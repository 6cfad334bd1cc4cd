import { expect, test } from 'vitest';
import { ALERTS, alertSite } from '../../support/alert-groups.ts';
import { alertPayload, alertServerForTest, post, proof } from '../../support/alert-intake.ts';
import { quiet, shown, threadsIn } from '../../support/bot.ts';

const ROUTE = {
  name: 'cpu',
  channel: ALERTS,
  source: 'alertmanager',
  hostFrom: 'instance',
  selector: '{pid}',
  match: { alertname: 'HighCpu' },
};

test('from Alertmanager’s request to the thread, the look and the green message', async () => {
  const { slack, queue, asked } = await alertSite({ routes: [ROUTE], inventory: { 'web-7:*': 'web-7' } });
  const { url } = await alertServerForTest({ queue, now: Date.now });
  const send = async (name: string) => {
    const body = JSON.stringify(alertPayload('alertmanager', name)).replaceAll('"job":', '"pid":"6325","job":');
    return (await post(url('alertmanager'), body, proof('alertmanager', 'bearer', body))).status;
  };
  for (const name of ['firing', 'firing']) expect(await send(name)).toBe(202);
  await quiet(queue);
  expect(asked).toMatchObject([{ host: 'web-7', pid: 6325, allow: ['none', 'slows'], origin: { via: 'alert' } }]);
  const opened = threadsIn(slack, ALERTS);
  expect(opened).toHaveLength(1);
  expect(shown(opened[0])).toContain('🔴 HighCpu: web-7 has used more than 95 % of its processors');
  expect(await send('resolved')).toBe(202);
  await quiet(queue);
  expect(threadsIn(slack, ALERTS)).toHaveLength(1);
  expect(shown(threadsIn(slack, ALERTS)[0])).toMatch(/^🟢 HighCpu/u);
});
