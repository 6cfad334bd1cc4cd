import type { AlertRouting } from '../../infra/alert-routes.ts';
import { selectorText } from '../../playbooks/model/index.ts';
import { visible } from '../../playbooks/reading/text.ts';
import { Notice } from './notice.ts';
import { readJson } from './read-json.ts';
import { labelsOf, routed, type Site, targetOf, whyNot } from './route.ts';
import type { AlertSource } from './source.ts';

export const ROUTE_USAGE =
  'straceback route [--source NAME] [--config FILE] < payload.json   what would be done with an alert; nothing is sent';

/** What `straceback route` was asked for. */
export interface RouteAsked {
  readonly source: string | undefined;
  readonly config: string | undefined;
}

/** Reads the words after `straceback route`; a sentence when they make no sense. */
export const readRouteArguments = (words: readonly string[]): RouteAsked | string => {
  const asked: { source?: string; config?: string } = {};
  for (let at = 0; at < words.length; at += 2) {
    const [option = '', value] = words.slice(at, at + 2);
    if (option !== '--source' && option !== '--config')
      return `"${visible(option)}" is not understood.\n  ${ROUTE_USAGE}`;
    if (value === undefined) return `${option} needs a value.\n  ${ROUTE_USAGE}`;
    asked[option === '--source' ? 'source' : 'config'] = value;
  }
  return { source: asked.source, config: asked.config };
};

const wrong = (issues: readonly { path: PropertyKey[]; message: string }[]): string =>
  issues
    .slice(0, 5)
    .map(({ path, message }) => `${path.map(String).join('.') || 'the payload'}: ${message}`)
    .join('\n');

/**
 * The notices in a payload: as a source sends it, or, without a source, one notice as a JSON object. A sentence when it is neither.
 */
export const noticesIn = (
  bytes: Uint8Array,
  source: string | undefined,
  sources: ReadonlyMap<string, AlertSource>,
  now: number,
): Notice[] | string => {
  const json = readJson(bytes);
  if ('why' in json) return json.why;
  if (source === undefined) {
    const notice = Notice.safeParse(json.value);
    if (notice.success) return [notice.data];
    const names = [...sources.keys()].join(', ');
    return `This is no notice; for the payload of a source name it with --source (${names}).\n${wrong(notice.error.issues)}`;
  }
  const unit = sources.get(source);
  if (unit === undefined)
    return `There is no source called ${visible(source)}; there are ${[...sources.keys()].join(', ')}.`;
  const payload = unit.schema.safeParse(json.value);
  if (!payload.success) return `This is not the payload of ${source}:\n${wrong(payload.error.issues)}`;
  return unit.parse(payload.data, now);
};

const one = (notice: Notice, routing: AlertRouting, site: Site): string[] => {
  const lines = [
    `${notice.status} ${notice.severity}: ${visible(notice.title)}`,
    `  group     ${visible(notice.group)} (${notice.source})`,
  ];
  const to = routed(routing, notice);
  for (const route of routing.routes) {
    const why = whyNot(route, notice);
    if (why === null) break;
    lines.push(`  not       ${route.at} ${visible(route.name)}: ${visible(why)}`);
  }
  if (to.kind === 'nowhere') {
    return [...lines, '  route     none, and there is no defaultChannel: it would be logged and counted, no more'];
  }
  if (to.kind === 'default') {
    return [...lines, `  route     none: the defaultChannel ${to.channel}`, '  look      none: no route takes it'];
  }
  const { route } = to;
  lines.push(`  route     ${route.at} ${visible(route.name)}`, `  channel   ${to.channel}`);
  lines.push(`  mentions  ${route.mention.length === 0 ? 'nobody' : route.mention.join(', ')}`);
  if (notice.status === 'resolved') return [...lines, '  look      none: it is over'];
  const target = targetOf(route, { labels: labelsOf(notice), title: notice.title }, routing, site);
  if (target.kind === 'no-look') return [...lines, `  look      none: ${visible(target.why)}`];
  const cooldown = route.cooldownMinutes ?? routing.limits.cooldownMinutes;
  return [
    ...lines,
    `  host      ${target.host}`,
    `  process   ${visible(selectorText(target.selector))}${target.selector.kind === 'pid' ? '' : `, of several: ${target.choose}`}`,
    `  playbook  ${target.playbook}`,
    `  look      yes, unless the group was looked at in the last ${cooldown} min`,
  ];
};

/** What would be done with notices, for a terminal. Pure. */
export const routeText = (notices: readonly Notice[], routing: AlertRouting, site: Site): string =>
  notices.length === 0
    ? 'Nothing: this event says nothing about an alert.\n'
    : `${notices.map((notice) => one(notice, routing, site).join('\n')).join('\n\n')}\n`;

/** As much as a source may send in one request, and more. */
const MOST_BYTES = 10 * 1024 * 1024;

/** Reads a payload to its end and says what would be done with it, or why it cannot be read. */
export const dryRun = async (
  input: AsyncIterable<Uint8Array>,
  source: string | undefined,
  sources: ReadonlyMap<string, AlertSource>,
  routing: AlertRouting,
  site: Site,
): Promise<{ readonly text: string } | { readonly why: string }> => {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of input) {
    size += piece.length;
    if (size > MOST_BYTES) return { why: 'The payload is larger than 10 MiB.' };
    pieces.push(piece);
  }
  const notices = noticesIn(Buffer.concat(pieces), source, sources, Date.now());
  return typeof notices === 'string' ? { why: notices } : { text: routeText(notices, routing, site) };
};
