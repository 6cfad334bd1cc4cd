import { z } from 'zod';
import { identity } from '../identity.ts';
import { defineSource } from '../source.ts';
import { basic, bearer } from '../ways.ts';
import { PrometheusGroup, prometheusNotice } from './prometheus.shared.ts';

const Payload = PrometheusGroup.extend({
  version: z.literal('4', { error: 'is not "4", the version of Alertmanager’s webhook that is understood' }),
});

/**
 * Prometheus Alertmanager, webhook version 4. It signs nothing: `http_config` can give `authorization` or `basic_auth`. A
 * group that fires on is told again after `repeat_interval` in the very same bytes, so sameness is short; a group that
 * fires anew has a new `startsAt`.
 */
export const alertmanager = defineSource({
  source: 'alertmanager',
  ways: { bearer, basic },
  schema: Payload,
  sameness: (_payload, { body }) => ({ key: body, seconds: 240 }),
  parse: (payload, now) => [
    prometheusNotice(payload, { source: 'alertmanager', group: identity(payload.groupKey) }, now),
  ],
});
