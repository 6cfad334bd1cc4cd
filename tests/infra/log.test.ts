import { afterEach, describe, expect, test, vi } from 'vitest';
import { openLog, withLogFields, withoutSecrets } from '../../infra/log.ts';

afterEach(() => vi.restoreAllMocks());

/** Lines that the log writes while `work` runs. */
const linesOf = (work: (log: ReturnType<typeof openLog>) => void): string[] => {
  const lines: string[] = [];
  vi.spyOn(process.stderr, 'write').mockImplementation((line) => {
    lines.push(String(line));
    return true;
  });
  work(openLog('info'));
  return lines;
};

describe('the log', () => {
  test.each([
    'redis://user:hunter22@10.0.0.1:6379 is away',
    'Command failed: mysqldump --password hunter22 --all',
    'Command failed: pg_dump --db-password=hunter22',
    'env DB_PASSWORD=hunter22 python app.py',
    '{"token":"hunter22"}',
    JSON.stringify({ text: JSON.stringify({ apiKey: 'hunter22' }) }),
    'Authorization: Bearer hunter22hunter22',
    'POST https://me:hunter22@example.org/ failed',
    'xoxb-1-hunter22',
    'secret: hunter22',
  ])('%s loses its secret', (text) => {
    expect(withoutSecrets(text)).not.toContain('hunter22');
    expect(withoutSecrets(text)).toContain('[secret]');
  });

  test.each([
    'Slack refuses the bot token (invalid_auth). Check SLACK_BOT_TOKEN.',
    'SLACK_APP_TOKEN is not set: an app-level token (xapp-…) with the scope connections:write.',
    'the budget of tokens for today is used up',
    'connect ECONNREFUSED 127.0.0.1:6379',
  ])('%s stays as it is', (text) => expect(withoutSecrets(text)).toBe(text));

  test('an error that holds a command line is cleaned, stack and all', () => {
    const error = new Error('spawn redis-cli --token=hunter22 failed at redis://:hunter22@h');
    const [line = ''] = linesOf((log) => log.error({ error: error.stack, token: 'hunter22' }, 'look broke'));
    expect(line).not.toContain('hunter22');
    expect(JSON.parse(line)).toMatchObject({ msg: 'look broke' });
  });

  test('what belongs to one request says so in each line, whoever writes it and however late', async () => {
    const lines: string[] = [];
    vi.spyOn(process.stderr, 'write').mockImplementation((line) => {
      lines.push(String(line));
      return true;
    });
    const log = openLog('info');
    await withLogFields({ requestId: 'r-1' }, async () => {
      await new Promise((resolve) => setImmediate(resolve));
      withLogFields({ probe: 'strace' }, () => log.info({}, 'inner'));
      log.info({}, 'outer');
    });
    log.info({}, 'none');
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { requestId: 'r-1', probe: 'strace', msg: 'inner' },
      { requestId: 'r-1', msg: 'outer' },
      { msg: 'none' },
    ]);
    expect(lines.at(-1)).not.toContain('r-1');
  });

  test('a long text that looks like a secret over and over takes no longer than it is', () => {
    const hostile = `${'token'.repeat(40_000)}${'a-'.repeat(100_000)}${'://'.repeat(50_000)}`;
    expect(withoutSecrets(hostile).length).toBeGreaterThan(0);
  });
});
