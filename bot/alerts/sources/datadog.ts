import { z } from 'zod';
import { identity } from '../identity.ts';
import type { Severity } from '../notice.ts';
import { severityOf, timeOf, titleOf, urlOf, words } from '../shape.ts';
import { defineSource } from '../source.ts';
import { basic, secretHeader } from '../ways.ts';

/** A variable that Datadog had nothing for is left as it is in some events, and empty in others. */
const Variable = z
  .union([z.string(), z.number()])
  .nullish()
  .transform((value) => {
    const text = String(value ?? '').trim();
    return text === 'null' || /^\$[A-Z][A-Z_]*$/.test(text) ? '' : text;
  });

/** What `infra/deploy/datadog-webhook.json` makes of the variables of Datadog's webhooks integration. */
const Payload = z
  .object({
    monitorId: Variable,
    aggregKey: Variable,
    cycleKey: Variable,
    eventId: Variable,
    transition: Variable,
    type: Variable,
    priority: Variable,
    title: Variable,
    text: Variable,
    hostname: Variable,
    scope: Variable,
    tags: Variable,
    metric: Variable,
    query: Variable,
    link: Variable,
    date: Variable,
  })
  .refine(({ monitorId, aggregKey }) => monitorId !== '' || aggregKey !== '', {
    path: ['aggregKey'],
    message: 'and monitorId are both empty, so it cannot be known which alert this is: is the payload the template?',
  })
  .refine(({ transition, type }) => transition !== '' || type !== '', {
    path: ['transition'],
    message: 'and type are both empty: is the payload the template?',
  });
type Payload = z.infer<typeof Payload>;

/** `a:b,c` as labels; a name that comes again has all its values, divided by commas. */
const tagsOf = (...lists: readonly string[]): Map<string, string> => {
  const found = new Map<string, Set<string>>();
  for (const tag of lists.flatMap((list) => list.split(','))) {
    const [, name = '', value = ''] = /^([^:]*):?(.*)$/s.exec(tag.trim()) ?? [];
    if (name !== '') found.set(name, (found.get(name) ?? new Set()).add(value));
  }
  return new Map([...found].map(([name, values]) => [name, [...values].filter(Boolean).join(',')]));
};

const severityFrom = ({ transition, priority, type }: Payload): Severity => {
  if (/warn/i.test(transition)) return 'warning';
  const byPriority = severityOf(priority);
  return byPriority === 'unknown' ? severityOf(type) : byPriority;
};

/**
 * Datadog's webhooks integration: the payload is ours, the variables are Datadog's. It signs nothing, but can add headers and
 * takes user and password in the address. `$AGGREG_KEY` stays the same from one time that a monitor's group fires to the
 * next, `$ALERT_CYCLE_KEY` only until it resolves.
 */
export const datadog = defineSource({
  source: 'datadog',
  ways: { header: secretHeader('X-Straceback-Token'), basic },
  schema: Payload,
  sameness: (_payload, { body }) => ({ key: body, seconds: 660 }),
  parse: (payload, now) => {
    const { transition, type, monitorId, aggregKey, scope } = payload;
    const resolved = transition === '' ? type === 'success' : /recovered/i.test(transition);
    const group = identity(`${monitorId}/${aggregKey === '' ? scope : aggregKey}`);
    const status = resolved ? ('resolved' as const) : ('firing' as const);
    const tags = tagsOf(payload.scope, payload.tags);
    for (const [name, value] of [
      ['host', payload.hostname],
      ['monitor_id', monitorId],
      ['metric', payload.metric],
      ['priority', payload.priority],
    ] as const) {
      if (value !== '' && !tags.has(name)) tags.set(name, value);
    }
    const labels = words(tags);
    const annotations = [
      ['text', payload.text],
      ['query', payload.query],
      ['transition', transition],
    ] as const;
    const at = timeOf(payload.date);
    return [
      {
        source: 'datadog',
        group,
        status,
        severity: severityFrom(payload),
        title: titleOf(payload.title, payload.metric),
        labels,
        alerts: [
          {
            fingerprint: identity(payload.cycleKey === '' ? group : payload.cycleKey),
            status,
            labels,
            annotations: words(annotations.filter(([, value]) => value !== '')),
            // The date is that of this event, which is the beginning only when it is the first.
            startsAt: /^(?:triggered|warn|no data)$/i.test(transition) ? at : null,
            endsAt: resolved ? at : null,
          },
        ],
        more: 0,
        url: urlOf(payload.link),
        at: now,
      },
    ];
  },
});
