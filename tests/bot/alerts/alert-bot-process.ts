// A bot of its own that routes alerts, for tests that kill one.
import { startBot } from '../../../bot/bot.ts';
import { openLog } from '../../../infra/log.ts';
import { openBotQueue } from '../../../infra/queue/bot-side.ts';
import { PID_ROUTE, routing } from '../../support/alert-routing.ts';

const [redisUrl = '', apiUrl, botToken, appToken] = process.argv.slice(2);
const log = openLog('error');
await startBot({
  slack: { mode: 'socket', botToken, appToken, signingSecret: undefined, port: 0, apiUrl },
  queue: openBotQueue({ redisUrl, log, leaseMs: 2_000, stalledCheckMs: 200 }),
  hosts: { names: ['web-7'], known: () => true },
  playbooks: [{ id: 'triage', title: 'First look', description: 'All', impacts: ['none'] }],
  policy: { allow: ['none', 'slows'] },
  alerts: routing({ routes: [PID_ROUTE] }),
  log,
});
process.stdout.write('ready\n');
