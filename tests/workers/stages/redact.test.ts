import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { redactor } from '../../../infra/redact/redactor.ts';
import { Report } from '../../../playbooks/model/index.ts';
import { redactEvidence, redactReport } from '../../../workers/stages/redact.ts';
import { anyReport } from '../../support/any-report.ts';

const SECRETS: readonly [string, string][] = [
  ['DATABASE_URL=postgres://app:hunter2secret@db.internal/app', 'hunter2secret'],
  ['redis://:s3cr3tpw@cache:6379/0', 's3cr3tpw'],
  [
    'sendto(5, "GET / HTTP/1.1\\r\\nAuthorization: Bearer abc.def-ghi123\\r\\n", 60, 0, NULL, 0) = 60',
    'abc.def-ghi123',
  ],
  ['write(1, "Cookie: sessionid=38afes7a8; theme=dark\\r\\n", 42) = 42', '38afes7a8'],
  ['/usr/bin/svc --db-password=tr0ub4dor --port 80', 'tr0ub4dor'],
  ['/usr/bin/svc --api-key k-99887766 --port 80', 'k-99887766'],
  ['AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG', 'wJalrXUtnFEMI/K7MDENG'],
  ['key AKIAIOSFODNN7EXAMPLE in use', 'AKIAIOSFODNN7EXAMPLE'],
  ['token xoxb-1234567890-abcdefghij', 'xoxb-1234567890-abcdefghij'],
  ['"password": "open sesame"', 'open sesame'],
  ['eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmN', 'dozjgNryP4J3jVmN'],
  ['mail from jane.doe@example.com', 'jane.doe@example.com'],
];

describe('redactor', () => {
  it.each(SECRETS)('takes the secret out of %s', (text, secret) => {
    expect(redactor().text(text)).not.toContain(secret);
  });

  it.each([
    'thread 25 "MainThread" samples 60 gil 58',
    'get_token  auth/session.py:49  (def at 40)',
    'flock(3, LOCK_EX|LOCK_NB) = -1 EAGAIN (Resource temporarily unavailable)',
    'token=None password=null',
    'refresh  lib/token.py:1024  (def at 1001)',
    'goes round a loop in `refresh` (`lib/token.py:6-10`)',
    'ESTAB 0 0 127.0.0.1:5432 127.0.0.1:44618 users:(("python3",pid=12,fd=3))',
    '/usr/bin/python3 -m authlib.server --port 80',
  ])('leaves %s as it is', (text) => {
    expect(redactor().text(text)).toBe(text);
  });

  it('gives one secret one placeholder in a look, and another to the next', () => {
    const redact = redactor();
    const once = redact.text('password=alpha1');
    expect(redact.text('PGPASSWORD="alpha1"')).toContain(once.slice('password='.length));
    expect(redact.text('password=beta22')).not.toBe(once);
    expect(redact.count()).toBe(2);
  });

  it('changes nothing that it has redacted already', () => {
    const redact = redactor();
    for (const [text] of SECRETS) {
      const once = redact.text(text);
      expect(redact.text(once)).toBe(once);
    }
  });

  it('keeps the number of lines, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        const base = {
          probe: 'x',
          command: 'x',
          end: 'exited',
          exit: 0,
          startedAt: 0,
          seconds: 0,
          dropped: 0,
        } as const;
        const [file] = redactEvidence([{ ...base, id: 'E1', stdout: bytes, stderr: new Uint8Array() }], redactor());
        const lines = new TextDecoder().decode(bytes).split('\n').length;
        expect(file?.text.split('\n')).toHaveLength(lines);
      }),
    );
  });
});

describe('a report', () => {
  const SECRET = 'password=tr0ub4dor';
  // Every text of it is a secret; what names things, and is matched by name elsewhere, is left as it is.
  const KEPT = new Set([
    'cause',
    'explainedBy',
    'probe',
    'evidenceId',
    'id',
    'playbook',
    'startedAt',
    'startTime',
    'host',
    'impact',
  ]);
  const poisoned = (value: unknown, name = ''): unknown => {
    if (typeof value === 'string') return KEPT.has(name) ? value : SECRET;
    if (Array.isArray(value)) return value.map((each) => poisoned(each, name));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, poisoned(each, key)]));
  };

  it('keeps no secret in any of its texts, those of related processes and source lines too', () => {
    fc.assert(
      fc.property(anyReport, (any) => {
        const report = Report.parse(poisoned(any));
        expect(JSON.stringify(redactReport(report, redactor()))).not.toContain('tr0ub4dor');
      }),
      { numRuns: 50 },
    );
  });
});
