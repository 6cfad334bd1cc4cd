import { z } from 'zod';
import { identity } from '../identity.ts';
import { type Alert, Severity } from '../notice.ts';
import { fewer, timeOf, titleOf, urlOf, words, worstOf } from '../shape.ts';
import { defineSource } from '../source.ts';
import { hmac } from '../ways.ts';

const Texts = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]).transform(String)).default({});
const Status = z.enum(['firing', 'resolved'], { error: 'is firing or resolved' });
const Time = z
  .union([z.string().max(100), z.number()])
  .nullish()
  .refine((time) => time === null || time === undefined || timeOf(time) !== null, {
    error: 'is no time: write RFC 3339 (2026-11-21T10:15:00Z) or milliseconds since 1970',
  });
const Url = z
  .string()
  .nullish()
  .refine((url) => url === null || url === undefined || urlOf(url) !== null, { error: 'is no http or https address' });

const GenericAlert = z.strictObject({
  fingerprint: z.string().min(1).max(300),
  status: Status,
  labels: Texts,
  annotations: Texts,
  startsAt: Time,
  endsAt: Time,
});

/** Our own format, strict, so that a mistake is told; docs/alerts.md has it for people. */
const Payload = z.strictObject({
  /** What it is about: the same from the first firing to the end, and when it fires again. */
  group: z.string().min(1).max(1_000),
  status: Status,
  severity: Severity.optional(),
  title: z.string().min(1).max(10_000),
  labels: Texts,
  annotations: Texts,
  startsAt: Time,
  endsAt: Time,
  url: Url,
  /** When there are several; else there is one, of the fields above. */
  alerts: z.array(GenericAlert).min(1).max(1_000).optional(),
});

const alertOf = (each: z.infer<typeof GenericAlert>): Alert => ({
  fingerprint: identity(each.fingerprint),
  status: each.status,
  labels: words(Object.entries(each.labels)),
  annotations: words(Object.entries(each.annotations)),
  startsAt: timeOf(each.startsAt),
  endsAt: each.status === 'resolved' ? timeOf(each.endsAt) : null,
});

/** Whatever can sign a body with openssl: HMAC-SHA256 over the time in seconds, a dot and the body. */
export const generic = defineSource({
  source: 'generic',
  ways: {
    hmac: hmac({
      signature: ['X-Straceback-Signature'],
      prefix: 'v1=',
      time: { header: 'X-Straceback-Timestamp', separator: '.' },
    }),
  },
  schema: Payload,
  // With its time: the same words said again later are another delivery, a repeated request is not.
  sameness: (_payload, { body, headers }) => ({
    key: Buffer.concat([Buffer.from(`${headers['x-straceback-timestamp']}.`), body]),
    seconds: 660,
  }),
  parse: (payload, now) => {
    const group = identity(payload.group);
    const own = { fingerprint: group, ...payload };
    const alerts = (payload.alerts ?? [own]).map(alertOf);
    const firing = alerts.some(({ status }) => status === 'firing');
    return [
      {
        source: 'generic',
        group,
        status: firing ? 'firing' : payload.status,
        severity: worstOf([payload.severity ?? 'unknown']),
        title: titleOf(payload.title),
        labels: words(Object.entries(payload.labels)),
        ...fewer(alerts),
        url: urlOf(payload.url),
        at: now,
      },
    ];
  },
});
