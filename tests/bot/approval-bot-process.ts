// A bot whose policy has approvals, for tests that kill one.
import { startBot } from '../../bot/bot.ts';
import { openLog } from '../../infra/log.ts';
import { openBotQueue } from '../../infra/queue/bot-side.ts';

const [redisUrl = '', apiUrl, botToken, appToken] = process.argv.slice(2);
const log = openLog('error');
await startBot({
  slack: { mode: 'socket', botToken, appToken, signingSecret: undefined, port: 0, apiUrl },
  queue: openBotQueue({ redisUrl, log, leaseMs: 2_000, stalledCheckMs: 200 }),
  hosts: { names: ['web-7'], known: () => true },
  playbooks: [{ id: 'gcore', title: 'A core', description: 'A core.', impacts: ['stops', 'writes-disk'] }],
  policy: {
    allow: ['none', 'slows'],
    rules: [{ groups: ['S0ONCALL1'], allow: [], approve: ['stops', 'writes-disk'] }],
  },
  log,
});
process.stdout.write('ready\n');
