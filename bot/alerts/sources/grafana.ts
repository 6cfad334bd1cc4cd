import { z } from 'zod';
import { identity } from '../identity.ts';
import { defineSource } from '../source.ts';
import { basic, bearer, hmac } from '../ways.ts';
import { PrometheusAlert, PrometheusGroup, prometheusNotice } from './prometheus.shared.ts';

const GrafanaAlert = PrometheusAlert.extend({
  dashboardURL: z.string().nullish(),
  panelURL: z.string().nullish(),
  /** The figures that the rule saw. */
  values: z.record(z.string(), z.unknown()).nullish(),
});

const Payload = PrometheusGroup.extend({
  orgId: z.number().int().nullish(),
  alerts: z.array(GrafanaAlert).min(1),
});

const withValues = (alert: z.infer<typeof GrafanaAlert>): z.infer<typeof GrafanaAlert> => {
  const values = Object.entries(alert.values ?? {}).filter(([, value]) => typeof value === 'number');
  if (values.length === 0) return alert;
  return { ...alert, annotations: { ...alert.annotations, values: JSON.stringify(Object.fromEntries(values)) } };
};

/**
 * Grafana's unified alerting. Since version 12 its contact point can sign: HMAC-SHA256 in hexadecimal digits over the time in
 * seconds, a colon and the body (grafana/alerting, http/hmac.go). The name of the time's header is chosen there.
 */
export const grafana = defineSource({
  source: 'grafana',
  ways: {
    bearer,
    basic,
    hmac: hmac({
      signature: ['X-Grafana-Alerting-Signature', 'X-Grafana-Alert-Signature'],
      time: { header: 'X-Grafana-Alerting-Timestamp', separator: ':' },
    }),
  },
  schema: Payload,
  sameness: (_payload, { body }) => ({ key: body, seconds: 660 }),
  parse: (payload, now) => {
    const only = payload.alerts.length === 1 ? payload.alerts[0] : undefined;
    const group = identity(`${payload.orgId ?? 1}:${payload.groupKey}`);
    const links = [only?.panelURL, only?.dashboardURL];
    const alerts = payload.alerts.map(withValues);
    return [prometheusNotice({ ...payload, alerts }, { source: 'grafana', group, links }, now)];
  },
});
