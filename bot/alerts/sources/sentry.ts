import { z } from 'zod';
import { identity } from '../identity.ts';
import type { Notice, Severity } from '../notice.ts';
import { severityOf, timeOf, titleOf, urlOf, words } from '../shape.ts';
import { defineSource } from '../source.ts';
import { hmac } from '../ways.ts';

const Id = z.union([z.string().min(1).max(300), z.number().int().transform(String)]);
const Text = z.string().nullish();
const Time = z.union([z.string().max(100), z.number()]).nullish();
const Project = z.union([z.string(), z.number(), z.object({ slug: Text })]).nullish();

/** `[["browser", "Chrome"], …]`, or `{key, value}` in later versions. */
const Tags = z
  .array(
    z.union([
      z.tuple([z.string(), Text]).transform(([key, value]) => [key, value] as const),
      z.object({ key: z.string(), value: Text }).transform(({ key, value }) => [key, value] as const),
    ]),
  )
  .nullish();

const IssueAlert = z.object({
  event: z.object({
    event_id: Text,
    issue_id: Id,
    title: Text,
    message: Text,
    culprit: Text,
    level: Text,
    platform: Text,
    environment: Text,
    project: Project,
    release: Text,
    datetime: Time,
    tags: Tags,
    web_url: Text,
  }),
  triggered_rule: Text,
});

const MetricAlert = z.object({
  metric_alert: z.object({
    id: Id,
    organization_id: Id.nullish(),
    title: Text,
    projects: z.array(z.string()).nullish(),
    date_started: Time,
    date_closed: Time,
    alert_rule: z.object({ id: Id, name: Text, environment: Text, aggregate: Text, query: Text }).nullish(),
  }),
  description_title: Text,
  description_text: Text,
  web_url: Text,
});

const Issue = z.object({
  issue: z.object({
    id: Id,
    shortId: Text,
    title: Text,
    culprit: Text,
    level: Text,
    platform: Text,
    project: Project,
    web_url: Text,
    permalink: Text,
    lastSeen: Time,
  }),
});

type Pair = readonly [string, string | number | null | undefined];
const given = (pairs: readonly Pair[]): [string, string][] =>
  pairs.flatMap(([name, value]) =>
    value === null || value === undefined || value === '' ? [] : [[name, String(value)]],
  );

const projectOf = (project: z.infer<typeof Project>) => (typeof project === 'object' ? project?.slug : project);

type Told = Omit<Notice, 'source' | 'alerts' | 'more' | 'at'> & {
  readonly annotations: Record<string, string>;
  readonly startsAt: number | null;
  readonly endsAt: number | null;
};

const issueAlert = ({ event, triggered_rule: rule }: z.infer<typeof IssueAlert>): Told => ({
  group: identity(`issue:${event.issue_id}`),
  status: 'firing',
  severity: severityOf(event.level),
  title: titleOf(event.title, event.message, event.culprit),
  labels: words([
    ...given([
      ['project', projectOf(event.project)],
      ['level', event.level],
      ['environment', event.environment],
      ['platform', event.platform],
      ['release', event.release],
      ['rule', rule],
    ]),
    ...given(event.tags ?? []),
  ]),
  annotations: words(
    given([
      ['culprit', event.culprit],
      ['message', event.message],
      ['event_id', event.event_id],
    ]),
  ),
  startsAt: timeOf(event.datetime),
  endsAt: null,
  url: urlOf(event.web_url),
});

const METRIC: Readonly<Record<string, Severity>> = { critical: 'critical', warning: 'warning' };

const metricAlert = (data: z.infer<typeof MetricAlert>, action: string): Told => {
  const { metric_alert: alert } = data;
  const rule = alert.alert_rule;
  const resolved = action === 'resolved';
  return {
    // The rule is the same when it fires again; the id of the alert is that of one time.
    group: identity(rule ? `metric:${alert.organization_id ?? ''}:${rule.id}` : `metric-alert:${alert.id}`),
    status: resolved ? 'resolved' : 'firing',
    severity: METRIC[action] ?? 'unknown',
    title: titleOf(rule?.name, data.description_title, alert.title),
    labels: words(
      given([
        ['project', alert.projects?.join(',')],
        ['environment', rule?.environment],
        ['rule', rule?.name],
        ['aggregate', rule?.aggregate],
      ]),
    ),
    annotations: words(
      given([
        ['text', data.description_text],
        ['query', rule?.query],
      ]),
    ),
    startsAt: timeOf(alert.date_started),
    endsAt: resolved ? timeOf(alert.date_closed) : null,
    url: urlOf(data.web_url),
  };
};

/** What an action of an issue means for an alert about it. A new or assigned issue is none: its alert rule says when it is. */
const OF_ISSUE: Readonly<Record<string, Notice['status']>> = {
  resolved: 'resolved',
  archived: 'resolved',
  ignored: 'resolved',
  unresolved: 'firing',
};

const issueChange = ({ issue }: z.infer<typeof Issue>, status: Notice['status']): Told => ({
  group: identity(`issue:${issue.id}`),
  status,
  severity: severityOf(issue.level),
  title: titleOf(issue.title, issue.culprit),
  labels: words(
    given([
      ['project', projectOf(issue.project)],
      ['level', issue.level],
      ['platform', issue.platform],
      ['issue', issue.shortId],
    ]),
  ),
  annotations: words(given([['culprit', issue.culprit]])),
  startsAt: null,
  endsAt: null,
  url: urlOf(issue.web_url, issue.permalink),
});

/** Which of the three it is; undefined for everything else that Sentry sends (installations, comments, errors). */
const shapeOf = (action: string, data: Readonly<Record<string, unknown>>): z.ZodType<Told> | undefined => {
  if (data.event !== undefined) return IssueAlert.transform(issueAlert);
  if (data.metric_alert !== undefined) return MetricAlert.transform((alert) => metricAlert(alert, action));
  const status = Object.hasOwn(OF_ISSUE, action) ? OF_ISSUE[action] : undefined;
  return data.issue === undefined || status === undefined
    ? undefined
    : Issue.transform((change) => issueChange(change, status));
};

const Payload = z
  .object({
    action: z.string().min(1).max(100),
    /** By what it holds, not by the header Sentry-Hook-Resource, which is not signed. */
    data: z.record(z.string(), z.unknown()),
  })
  .transform(({ action, data }, context): { told: Told | null; event: string | null } => {
    const read = shapeOf(action, data)?.safeParse(data);
    for (const { path, message } of read?.error?.issues.slice(0, 3) ?? []) {
      context.addIssue({ code: 'custom', path: ['data', ...path], message });
    }
    const event = z.object({ event_id: z.string().min(1).max(300) }).safeParse(data.event).data;
    return { told: read?.data ?? null, event: event?.event_id ?? null };
  });

/**
 * Sentry's integration platform: issue alerts (`event_alert`), metric alerts, and the issues themselves, which tell when one of
 * them is resolved. The body is signed with the client secret; the time in Sentry-Hook-Timestamp is that of sending and is
 * not signed, so what was told is remembered by the id of the event, which is in the body.
 */
export const sentry = defineSource({
  source: 'sentry',
  ways: {
    hmac: hmac({ signature: ['Sentry-Hook-Signature'], time: { header: 'Sentry-Hook-Timestamp', unsigned: true } }),
  },
  schema: Payload,
  sameness: ({ told, event }, { body }) =>
    event === null
      ? { key: body, seconds: 660 }
      : { key: `event ${event} ${told?.labels.rule ?? ''}`, seconds: 25 * 3_600 },
  parse: ({ told }, now) => {
    if (told === null) return [];
    const { annotations, startsAt, endsAt, ...notice } = told;
    const { group: fingerprint, status, labels } = notice;
    const alerts = [{ fingerprint, status, labels, annotations, startsAt, endsAt }];
    return [{ ...notice, source: 'sentry', alerts, more: 0, at: now }];
  },
});
