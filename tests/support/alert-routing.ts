import { z } from 'zod';
import { type AlertLimits, type AlertRouting, alertRouting } from '../../infra/alert-routes.ts';

/** The channel `alerts` of the local Slack. */
export const ALERTS = 'C0ALERTS1';
export const OPS = 'C0OPS0001';

/** Routing as straceback.yaml gives it; limits that are left out are the program's own. */
export const routing = (
  settings: Omit<Partial<z.input<z.ZodObject<typeof alertRouting>>>, 'limits'> & {
    limits?: Partial<z.input<typeof AlertLimits>>;
  },
): AlertRouting => {
  const { routes, ...rest } = z.object(alertRouting).parse(settings);
  return {
    ...rest,
    defaultChannel: rest.defaultChannel,
    routes: routes.map((route, index) => ({ ...route, at: `straceback.yaml:${index + 1}` })),
  };
};

/** One route for all alerts, which looks at the process that the label `pid` names. */
export const PID_ROUTE = { name: 'web', channel: ALERTS, host: 'web-7', selector: '{pid}' } as const;
