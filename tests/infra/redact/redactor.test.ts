import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { redactor } from '../../../infra/redact/redactor.ts';
import { keyLines, scanForSecrets } from '../../../infra/redact/scan.ts';

const BODY = [
  'MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj',
  'MzEfYyjiWA4R4/M2bS1GB4t7NXp98C3SC6dVMvDuictGeurT8jNbvJZHtCSuYEvu',
];
const PEM = ['-----BEGIN RSA PRIVATE KEY-----', ...BODY, '-----END RSA PRIVATE KEY-----'].join('\n');

/** Redacted as a look is: first everything is looked through, then each text by itself. */
const redacted = async (text: string, site?: Parameters<typeof redactor>[1]) =>
  redactor(await scanForSecrets([text]), site).text(text);

describe('what strace and argument lists make of a secret', () => {
  it.each([
    ['write(5, "{\\"user\\":\\"ann\\",\\"password\\":\\"hunter2two\\"}", 40) = 40', 'hunter2two'],
    ['write(5, "{\\"password\\":\\"hun\\\\\\"ter2\\"}", 40) = 40', 'ter2'],
    ['execve("/usr/bin/svc", ["svc", "--db-password", "tr0ub4dor"], 0x7ffc /* 9 vars */) = 0', 'tr0ub4dor'],
    ["['svc', '--api-token', 'k-998877']", 'k-998877'],
    ['read(7, "Authorization: Basic dXNlcjpwYXNz\\r\\n", 4096) = 37', 'dXNlcjpwYXNz'],
    ['sendto(3, "Set-Cookie: sid=8f14e45f; Path=/\\r\\n"..., 33, 0) = 33', '8f14e45f'],
    ['write(4, "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMj"..., 900) = 900', 'eyJzdWIiOiIxMj'],
    ['machine ftp.example.org login ann password b1rdsong', 'b1rdsong'],
    ["CREATE ROLE app IDENTIFIED BY 'b1rdsong'", 'b1rdsong'],
    ['curl -s -u ann:b1rdsong https://ci.example.org', 'b1rdsong'],
    ['/usr/bin/mysqldump --single-transaction -uapp -pb1rdsong shop', 'b1rdsong'],
    ['Server=db;User ID=sa;Pwd=b1rdsong;Encrypt=yes', 'b1rdsong'],
    ['card 4111 1111 1111 1111 declined', '4111 1111 1111 1111'],
    ['card 378282246310005 declined', '378282246310005'],
    ['argument 3: --db-password\nargument 4: b1rd song\nargument 5: x', 'song'],
    ['argument 1: -token\nargument 2: qzx', 'qzx'],
    ['argument 1: -u\nargument 2: ann:b1rdsong', 'b1rdsong'],
    ['GET /f?X-Amz-Signature=fe5f80f77d5fa3beca038a248ff027d0 HTTP/1.1', 'fe5f80f77d5fa3beca'],
  ])('goes: %s', async (text, secret) => {
    expect(await redacted(text)).not.toContain(secret);
  });

  it.each([
    'futex(0x7f3a6c001234, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, FUTEX_BITSET_MATCH_ANY) = -1 ETIMEDOUT <0.050121>',
    '1700000000123456789 4242 openat(AT_FDCWD, "/etc/hosts", O_RDONLY|O_CLOEXEC) = 3',
    'lseek(3, 4111111111111112, SEEK_SET) = 4111111111111112',
    'author: Ann Example, authors=3',
    'mysqld: ready for connections on port 3306',
    'tcp 0 0 10.0.0.1:5432 10.0.0.2:41111 ESTABLISHED uid:1000 ino:4111111111111111.5',
  ])('stays: %s', async (text) => {
    expect(await redacted(text)).toBe(text);
  });
});

describe('secrets known by their form', () => {
  it('go wherever they stand, once they were found anywhere', async () => {
    const token = 'xoxb-123456789012-123456789012-abcdefghijklmnopqrstuvwx';
    const known = await scanForSecrets([`slack ${token}`, PEM]);
    const redact = redactor(known);
    expect(redact.text(`SEEN:${token}:${BODY[1]}`)).toMatch(/^SEEN:\[redacted-\d+\]:\[redacted-\d+\]$/);
  });

  it('private keys go line by line, and the lines stay lines', async () => {
    const text = `before\n${PEM}\nafter`;
    const out = await redacted(text);
    for (const line of BODY) expect(out).not.toContain(line);
    expect(out.split('\n')).toHaveLength(text.split('\n').length);
    expect(out).toMatch(/^before\n[\s\S]*\nafter$/);
  });

  it('a key whose end was cut off is one all the same', () => {
    expect(keyLines(PEM.split('\n').slice(0, 3).join('\n'))).toEqual(BODY);
    expect(keyLines(`${PEM}\nIt goes on: with (words)`)).toEqual(BODY);
  });
});

describe('the site’s own rules', () => {
  it('take out what they match, or their group', async () => {
    const site = { patterns: ['EMP-[0-9]{6}', 'ticket ([A-Z]{3}[0-9]+)'], exempt: [] };
    expect(await redacted('EMP-123456 opened ticket ABC77', site)).toMatch(
      /^\[redacted-\d\] opened ticket \[redacted-\d\]$/,
    );
  });

  it('let stand what they exempt', async () => {
    const site = { patterns: [], exempt: ['ops@example.org', 'changeme'] };
    const text = 'mail ops@example.org, password=changeme, "password": "changeme"';
    expect(await redacted(text, site)).toBe(text);
  });

  it('are linear whatever they are: a pattern that would make others hang ends', async () => {
    const site = { patterns: ['(a+)+b'], exempt: [] };
    expect(await redacted(`x ${'a'.repeat(20_000)}`, site)).toContain('aaaa');
  });

  it('that are no patterns are refused', () => {
    expect(() => redactor(new Set(), { patterns: ['('], exempt: [] })).toThrow();
  });
});

it('an instance of a unit is no address', async () => {
  const unit = 'Started shop@blue.service and user@1000.scope.';
  expect(await redacted(unit)).toBe(unit);
  expect(await redacted('ann@service.org and ann@my.service.org')).toBe('[redacted-1] and [redacted-2]');
});

it('the same text in one piece or line by line comes out the same', () => {
  const words = fc.constantFrom(
    'password=alpha1',
    'x',
    'token: "be ta"',
    '\n',
    'https://u:pw9@h/',
    '[redacted-1]',
    'A'.repeat(70_000),
    'ann@example.org',
  );
  fc.assert(
    fc.property(fc.array(words, { maxLength: 12 }), (parts) => {
      const text = parts.join(' ');
      const byLine = redactor();
      expect(redactor().text(text)).toBe(text.split('\n').map(byLine.text).join('\n'));
    }),
    { numRuns: 60 },
  );
});

it('hostile text of any shape takes no more than its length in time', async () => {
  const shapes = [
    'a',
    'A-',
    '"',
    '\\"',
    'password',
    'password=',
    '--token ',
    'eyJ',
    '4111',
    '@',
    'a@',
    '://a:',
    'mysql ',
    '-----BEGIN PRIVATE KEY-----',
    'cookie:',
    'login a password ',
    'curl -u ',
  ];
  for (const shape of shapes) {
    const text = shape.repeat(Math.ceil(300_000 / shape.length));
    // A pattern that backtracks would not come back from this within the time limit of the test.
    expect((await redacted(text)).length).toBeGreaterThan(0);
  }
}, 60_000);

describe('looking for secrets', () => {
  it('leaves nothing behind in a program that stays', async () => {
    const before = performance.getEntries().length;
    for (let look = 0; look < 5; look += 1) expect((await scanForSecrets([PEM])).size).toBeGreaterThan(0);
    expect(performance.getEntries().length).toBe(before);
  });
});
