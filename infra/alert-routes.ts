import { z } from 'zod';
import { HostName, readSelector, UnitId } from '../playbooks/model/index.ts';

/** How bad an alert is, in the words of most sources; what a source calls otherwise is `unknown`. Worst first. */
export const AlertSeverity = z.enum(['critical', 'error', 'warning', 'info', 'unknown']);
export type AlertSeverity = z.infer<typeof AlertSeverity>;

const oneOrMore = <Value extends z.ZodType>(value: Value) =>
  z.union([value.transform((one) => [one]), z.array(value).min(1).max(50)]);

/** The name of a label as sources write it (Prometheus, Datadog tags, Sentry tags). */
const LabelName = z
  .string()
  .min(1)
  .max(200)
  .regex(/^[A-Za-z0-9_][A-Za-z0-9_.:/-]*$/, 'is no name of a label: letters, digits and _ . : / - only');

/** Text that is compared as it is, except that `*` means any text, or none. */
const Glob = z.string().min(1).max(200);

const ChannelId = z
  .string()
  .regex(
    /^[CG][A-Z0-9]{4,20}$/,
    'is no channel id, which begins with C or G: Slack shows it at the end of “View channel details”',
  );

const PLACE = /\{([^{}]*)\}/g;

/** The labels that a selector of a route takes its value from: `unit:{service}.service` takes it from `service`. */
export const labelsIn = (selector: string): string[] => [...selector.matchAll(PLACE)].map(([, label]) => label ?? '');

/** A selector with the values of labels in it; the values have been checked. */
export const fillSelector = (selector: string, ofLabel: (label: string) => string): string =>
  selector.replace(PLACE, (_place, label: string) => ofLabel(label));

const RouteSelector = z
  .string()
  .min(1)
  .max(200)
  .superRefine((selector, context) => {
    for (const label of labelsIn(selector)) {
      if (!LabelName.safeParse(label).success) {
        context.addIssue({ code: 'custom', message: `{${label}} is no name of a label` });
        return;
      }
    }
    const read = readSelector(fillSelector(selector, () => '1'));
    if (typeof read === 'string') context.addIssue({ code: 'custom', message: `is no selector: ${read}` });
  });

const Minutes = z
  .number()
  .min(0)
  .max(7 * 24 * 60);

/** One rule: which alerts it takes, and what is done with them. */
export const AlertRoute = z
  .strictObject({
    /** For people: the thread, the log and the dry run name it. */
    name: z.string().min(1).max(80),
    source: oneOrMore(z.string().regex(/^[a-z][a-z0-9-]*$/)).optional(),
    severity: oneOrMore(AlertSeverity).optional(),
    /** Label to glob, or to several of which one has to fit. All labels have to fit. */
    match: z.record(LabelName, oneOrMore(Glob)).default({}),
    channel: ChannelId,
    /** Always this host. */
    host: HostName.optional(),
    /** The host that `inventory` has for the value of this label; of several labels the first that has one. */
    hostFrom: oneOrMore(LabelName).optional(),
    /** Which process: as people type it, with `{label}` for the value of a label. Without it nothing is looked at. */
    selector: RouteSelector.optional(),
    /** When several processes fit: the one that does most, the first by a figure, or none: the list is posted. */
    choose: z.enum(['likely', 'top:cpu', 'top:rss', 'top:fds', 'list']).default('likely'),
    /** Absent: by the symptom that labels and title name. */
    playbook: UnitId.optional(),
    /** Who is mentioned when it fires: people (U…, W…) and user groups (S…). Nobody else ever is. */
    mention: z
      .array(z.string().regex(/^[UWS][A-Z0-9]{4,20}$/, 'is no id of a person (U…) or of a user group (S…)'))
      .max(10)
      .default([]),
    cooldownMinutes: Minutes.optional(),
  })
  .superRefine((route, context) => {
    const say = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
    const hosted = route.host !== undefined || route.hostFrom !== undefined;
    if (route.host !== undefined && route.hostFrom !== undefined) say('hostFrom', 'give host or hostFrom, not both');
    if (hosted && route.selector === undefined) say('host', 'selector is missing: which process of the host?');
    if (!hosted && route.selector !== undefined) say('selector', 'host or hostFrom is missing: on which host?');
  });
export type AlertRoute = z.infer<typeof AlertRoute>;

/** How much alerts may do. */
export const AlertLimits = z.strictObject({
  /** Looks that alerts have started and that are not done yet. The others wait, the worst first. */
  looksPerHost: z.number().int().min(1).max(100).default(2),
  looks: z.number().int().min(1).max(1_000).default(10),
  /** Looks that may wait; beyond it the least severe is not made, which its thread says. */
  waiting: z.number().int().min(1).max(5_000).default(500),
  /** New groups a minute in one channel that get a thread each; with more they become one message. */
  groupsPerMinute: z.number().int().min(1).max(1_000).default(10),
  /** With no new group for this long a storm is over. */
  stormQuietSeconds: z.number().int().min(1).max(3_600).default(60),
  /** No second look at a group within this time. */
  cooldownMinutes: Minutes.default(30),
  /** Two groups whose looks find the same cause in the same process within this time point to each other. */
  sameCauseMinutes: Minutes.default(60),
  /** How long a group is remembered after its newest news; afterwards it would open a new thread. */
  keepDays: z.number().int().min(1).max(90).default(14),
});
export type AlertLimits = z.infer<typeof AlertLimits>;

/** The part of `alerts` in straceback.yaml that says what is done with alerts. */
export const alertRouting = {
  routes: z
    .array(AlertRoute)
    .max(500)
    .default([])
    .superRefine((routes, context) => {
      const names = new Set<string>();
      let all: string | null = null;
      for (const [index, { name, source, severity, match }] of routes.entries()) {
        const say = (message: string) => context.addIssue({ code: 'custom', path: [index, 'name'], message });
        if (names.has(name)) say(`there is a route called ${name} above`);
        if (all !== null) say(`is never reached: the route ${all} above takes every alert`);
        names.add(name);
        if (source === undefined && severity === undefined && Object.keys(match).length === 0) all ??= name;
      }
    }),
  /** Value of a label (a glob) to the name of a host. Alerts reach hosts through this map only. */
  inventory: z.record(Glob, HostName).default({}),
  limits: AlertLimits.prefault({}),
  /** Where alerts go that no route takes. Without it they are counted and logged. */
  defaultChannel: ChannelId.optional(),
};

/** What the bot needs to know to route alerts. */
export interface AlertRouting {
  /** `at`: file and line of the route, for people. */
  readonly routes: readonly (AlertRoute & { readonly at: string })[];
  readonly inventory: Readonly<Record<string, string>>;
  readonly limits: AlertLimits;
  readonly defaultChannel: string | undefined;
}

/** Nothing is said about alerts. */
export const NO_ALERT_ROUTES: AlertRouting = {
  routes: [],
  inventory: {},
  limits: AlertLimits.parse({}),
  defaultChannel: undefined,
};

/** Hosts that routing names and the site does not know, each with its place in `alerts`. */
export const unknownAlertHosts = (
  { routes, inventory }: { routes: readonly AlertRoute[]; inventory: Readonly<Record<string, string>> },
  known: (name: string) => boolean,
): { path: PropertyKey[]; message: string }[] => {
  const fault = (path: PropertyKey[], host: string | undefined) =>
    host === undefined || known(host) ? [] : [{ path, message: `no host is called ${host}` }];
  return [
    ...routes.flatMap(({ host }, index) => fault(['routes', index, 'host'], host)),
    ...Object.entries(inventory).flatMap(([value, host]) => fault(['inventory', value], host)),
  ];
};
