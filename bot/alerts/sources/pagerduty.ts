import { z } from 'zod';
import { identity } from '../identity.ts';
import { severityOf, timeOf, titleOf, urlOf, words } from '../shape.ts';
import { defineSource } from '../source.ts';
import { CLOCK_MS, hmac } from '../ways.ts';

const Reference = z.object({ id: z.string().nullish(), summary: z.string().nullish() }).nullish();

const Incident = z.object({
  type: z.literal('incident'),
  id: z.string().min(1).max(300),
  html_url: z.string().nullish(),
  number: z.number().nullish(),
  status: z.enum(['triggered', 'acknowledged', 'resolved']),
  incident_key: z.string().nullish(),
  created_at: z.string().max(100).nullish(),
  title: z.string().nullish(),
  service: Reference,
  escalation_policy: Reference,
  teams: z.array(Reference).nullish(),
  priority: Reference,
  urgency: z.string().nullish(),
});

const Payload = z.object({
  event: z.object({
    id: z.string().min(1).max(300),
    event_type: z.string().min(1).max(200),
    occurred_at: z.string().max(100),
    /** An incident, or one of many other things that are none of ours. */
    data: z
      .union([Incident, z.object({ type: z.string().refine((type) => type !== 'incident') }), z.null()])
      .optional(),
  }),
});

/** Events after which an incident is worth another word. An acknowledgement is not: a person has it already. */
const TOLD = new Set(
  ['triggered', 'reopened', 'unacknowledged', 'escalated', 'priority_updated', 'resolved'].map(
    (each) => `incident.${each}`,
  ),
);

/** PagerDuty tries again for about 20 minutes, but keeps events of a webhook that fails, and in order. */
const OLDEST_MS = 24 * 3_600_000;

/**
 * PagerDuty's generic webhooks, version 3: one event of an incident each. The body is signed with every secret that the subscription
 * has at the time, `v1=…,v1=…`; the time of the event is in the body, and its id is the same for every delivery.
 */
export const pagerduty = defineSource({
  source: 'pagerduty',
  ways: { hmac: hmac({ signature: ['X-PagerDuty-Signature'], prefix: 'v1=' }) },
  schema: Payload,
  untimely: ({ event }, now) => {
    const at = timeOf(event.occurred_at);
    if (at === null) return 'event.occurred_at is no time.';
    if (now - at > OLDEST_MS) return 'event.occurred_at is older than a day.';
    return at - now > CLOCK_MS ? 'event.occurred_at is more than five minutes in the future.' : null;
  },
  sameness: ({ event }) => ({ key: event.id, seconds: (OLDEST_MS + 2 * CLOCK_MS) / 1_000 }),
  parse: ({ event }, now) => {
    const incident = Incident.safeParse(event.data).data;
    if (incident === undefined || !TOLD.has(event.event_type)) return [];
    const resolved = incident.status === 'resolved';
    const labels = words(
      [
        ['service', incident.service?.summary],
        ['service_id', incident.service?.id],
        ['team', incident.teams?.[0]?.summary],
        ['priority', incident.priority?.summary],
        ['urgency', incident.urgency],
        ['escalation_policy', incident.escalation_policy?.summary],
        ['incident_key', incident.incident_key],
        ['incident_number', incident.number?.toString()],
      ].flatMap(([name, value]): [string, string][] => (name && value ? [[name, value]] : [])),
    );
    const byPriority = severityOf(incident.priority?.summary);
    const status = resolved ? ('resolved' as const) : ('firing' as const);
    return [
      {
        source: 'pagerduty',
        group: identity(incident.id),
        status,
        severity: byPriority === 'unknown' ? severityOf(incident.urgency) : byPriority,
        title: titleOf(incident.title),
        labels,
        alerts: [
          {
            fingerprint: identity(incident.id),
            status,
            labels,
            annotations: {},
            startsAt: timeOf(incident.created_at),
            endsAt: resolved ? timeOf(event.occurred_at) : null,
          },
        ],
        more: 0,
        url: urlOf(incident.html_url),
        at: now,
      },
    ];
  },
});
