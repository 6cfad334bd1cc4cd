import { type AlertRoute, type AlertRouting, fillSelector } from '../../infra/alert-routes.ts';
import { globMatch } from '../../infra/globs.ts';
import { readSelector, type Selector } from '../../playbooks/model/index.ts';
import { list } from '../../playbooks/reading/text.ts';
import { quoted } from '../words.ts';
import type { Alert, Notice } from './notice.ts';
import { playbookFor } from './symptom.ts';

type Labels = Readonly<Record<string, string>>;
type PlacedRoute = AlertRouting['routes'][number];

/** Where a notice goes. */
export type Routed =
  | { readonly kind: 'route'; readonly channel: string; readonly route: PlacedRoute }
  | { readonly kind: 'default'; readonly channel: string }
  | { readonly kind: 'nowhere' };

/** What a look that a notice asks for is to look at, or why there is none. */
export type Target =
  | {
      readonly kind: 'look';
      readonly host: string;
      readonly selector: Selector;
      readonly choose: AlertRoute['choose'];
      readonly playbook: string;
    }
  | { readonly kind: 'no-look'; readonly why: string };

/** What the labels of an alert are checked against. */
export interface Site {
  readonly playbooks: readonly { readonly id: string }[];
}

const DEFAULT_PLAYBOOK = 'triage';
/** A value of a label that may stand for a name: nothing that a pattern, an option, a path or a shell would take for more. */
const NAME_VALUE = /^[A-Za-z0-9][A-Za-z0-9._@:+-]{0,127}$/;

/** The labels that a notice is judged by: what all its alerts have in common, then those of one alert. */
export const labelsOf = (notice: Notice, alert: Alert | undefined = firstOf(notice)): Labels => ({
  ...alert?.labels,
  ...notice.labels,
});

const firstOf = ({ alerts }: Notice): Alert | undefined =>
  alerts.find(({ status }) => status === 'firing') ?? alerts[0];

/** Only what the alert itself has: `constructor` is a label of none that does not say so. */
const labelValue = (labels: Labels, label: string): string | undefined =>
  Object.hasOwn(labels, label) ? labels[label] : undefined;

/** Why a route does not take a notice, without a full stop; null when it does. Pure. */
export const whyNot = (route: AlertRoute, notice: Notice): string | null => {
  const { source, severity, match } = route;
  if (source !== undefined && !source.includes(notice.source)) {
    return `it is for the source ${list(source, 'or')}, not ${notice.source}`;
  }
  if (severity !== undefined && !severity.includes(notice.severity)) {
    return `it is for the severity ${list(severity, 'or')}, not ${notice.severity}`;
  }
  const labels = labelsOf(notice);
  for (const [label, globs] of Object.entries(match)) {
    const value = labelValue(labels, label);
    if (value === undefined) return `the alert has no label ${label}`;
    if (!globs.some((glob) => globMatch(glob, value))) {
      return `the label ${label} is ${quoted(value)}, not ${list(globs, 'or')}`;
    }
  }
  return null;
};

/** The first route that takes a notice, else the default channel. Pure. */
export const routed = ({ routes, defaultChannel }: AlertRouting, notice: Notice): Routed => {
  const route = routes.find((each) => whyNot(each, notice) === null);
  if (route !== undefined) return { kind: 'route', channel: route.channel, route };
  return defaultChannel === undefined ? { kind: 'nowhere' } : { kind: 'default', channel: defaultChannel };
};

const hostIn = (inventory: AlertRouting['inventory'], value: string): string | undefined =>
  Object.hasOwn(inventory, value)
    ? inventory[value]
    : Object.entries(inventory).find(([glob]) => globMatch(glob, value))?.[1];

const hostOf = (route: AlertRoute, labels: Labels, inventory: AlertRouting['inventory']): string | { why: string } => {
  if (route.host !== undefined) return route.host;
  const tried: string[] = [];
  for (const label of route.hostFrom ?? []) {
    const value = labelValue(labels, label);
    if (value === undefined) continue;
    const host = hostIn(inventory, value);
    if (host !== undefined) return host;
    tried.push(`the inventory has no host for ${label} ${quoted(value)}`);
  }
  return { why: tried.length > 0 ? tried.join(', ') : `the alert has no label ${list(route.hostFrom ?? [], 'or')}` };
};

const selectorOf = (template: string, labels: Labels): Selector | { why: string } => {
  let why: string | null = null;
  const numeric = !/^(?:unit|name|container|pod):/.test(template);
  const filled = fillSelector(template, (label) => {
    const value = labelValue(labels, label);
    if (value === undefined) why ??= `the alert has no label ${label}`;
    else if (numeric && !/^\d{1,10}$/.test(value)) why ??= `the label ${label} is ${quoted(value)}, which is no number`;
    else if (!NAME_VALUE.test(value)) why ??= `the label ${label} is ${quoted(value)}, which is no plain name`;
    return value ?? '';
  });
  if (why !== null) return { why };
  const selector = readSelector(filled);
  return typeof selector === 'string' ? { why: `${quoted(filled)} names no process: ${selector}` } : selector;
};

/**
 * What is looked at for an alert with these labels. Nothing of a label reaches a host but a value that was checked: the host
 * comes from the inventory, the process from a selector. Pure.
 */
export const targetOf = (
  route: AlertRoute,
  { labels, title }: { labels: Labels; title: string },
  { inventory }: AlertRouting,
  { playbooks }: Site,
): Target => {
  if (route.selector === undefined) return { kind: 'no-look', why: 'the route names no process' };
  const host = hostOf(route, labels, inventory);
  if (typeof host !== 'string') return { kind: 'no-look', why: host.why };
  const selector = selectorOf(route.selector, labels);
  if ('why' in selector) return { kind: 'no-look', why: selector.why };
  const wanted = route.playbook ?? playbookFor(labels, title) ?? DEFAULT_PLAYBOOK;
  const playbook = playbooks.some(({ id }) => id === wanted) ? wanted : DEFAULT_PLAYBOOK;
  return { kind: 'look', host, selector, choose: route.choose, playbook };
};

/** The routes whose playbook there is none of, each as a fault of the configuration with file and line. */
export const routeFaults = ({ routes }: AlertRouting, { playbooks }: Site): string[] =>
  routes.flatMap(({ at, name, playbook }) =>
    playbook === undefined || playbooks.some(({ id }) => id === playbook)
      ? []
      : [`${at}: alerts.routes: ${name}: there is no playbook called ${playbook}`],
  );
