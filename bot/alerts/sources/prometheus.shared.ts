import { z } from 'zod';
import type { Alert, Notice } from '../notice.ts';
import { fewer, severityOf, timeOf, titleOf, urlOf, words, worstOf } from '../shape.ts';

const Texts = z.record(z.string(), z.string());
const Time = z.string().max(100).nullish();

/** One alert of Prometheus’s Alertmanager; Grafana’s has a few fields more. */
export const PrometheusAlert = z.object({
  status: z.enum(['firing', 'resolved']),
  labels: Texts.default({}),
  annotations: Texts.nullish(),
  startsAt: Time,
  endsAt: Time,
  generatorURL: z.string().nullish(),
  fingerprint: z.string().min(1).max(300),
});

/** The group that both send: Alertmanager's template.Data and its webhook's Message (notify/webhook/webhook.go). */
export const PrometheusGroup = z.object({
  status: z.enum(['firing', 'resolved']),
  groupKey: z.string().min(1).max(100_000),
  alerts: z.array(PrometheusAlert).min(1),
  groupLabels: Texts.nullish(),
  commonLabels: Texts.nullish(),
  commonAnnotations: Texts.nullish(),
  externalURL: z.string().nullish(),
  truncatedAlerts: z.number().int().min(0).max(1_000_000_000).nullish(),
});
export type PrometheusGroup = z.infer<typeof PrometheusGroup>;

const alertOf = (each: z.infer<typeof PrometheusAlert>): Alert => ({
  fingerprint: each.fingerprint,
  status: each.status,
  labels: words(Object.entries(each.labels)),
  annotations: words(Object.entries(each.annotations ?? {})),
  startsAt: timeOf(each.startsAt),
  endsAt: each.status === 'resolved' ? timeOf(each.endsAt) : null,
});

const text = (labels: Readonly<Record<string, string>>, name: string): string | undefined =>
  Object.hasOwn(labels, name) ? labels[name] : undefined;

/** The group in the one form. `group` is its identity at this source; `links` go before the alert's own. */
export const prometheusNotice = (
  payload: PrometheusGroup,
  about: { readonly source: string; readonly group: string; readonly links?: readonly (string | null | undefined)[] },
  now: number,
): Notice => {
  const only = payload.alerts.length === 1 ? payload.alerts[0] : undefined;
  const labels = only?.labels ?? payload.commonLabels ?? {};
  const annotations = only?.annotations ?? payload.commonAnnotations ?? {};
  const firing = payload.alerts.filter(({ status }) => status === 'firing');
  const judged = firing.length > 0 ? firing : payload.alerts;
  const name = text(labels, 'alertname') ?? text(payload.groupLabels ?? {}, 'alertname');
  const summary = text(annotations, 'summary') ?? text(annotations, 'message') ?? text(annotations, 'description');
  return {
    source: about.source,
    group: about.group,
    // Of a group that was cut, the alerts that still fire may be among those left out.
    status: firing.length > 0 ? 'firing' : payload.status,
    severity: worstOf(judged.map((each) => severityOf(text(each.labels, 'severity') ?? text(each.labels, 'priority')))),
    title: titleOf([name, summary].filter((each) => (each ?? '').trim() !== '').join(': ')),
    labels: words(Object.entries(labels)),
    ...fewer(payload.alerts.map(alertOf), payload.truncatedAlerts ?? 0),
    url: urlOf(...(about.links ?? []), only?.generatorURL, payload.externalURL),
    at: now,
  };
};
