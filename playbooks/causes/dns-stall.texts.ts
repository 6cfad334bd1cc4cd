import type { FindingDraft, Fix, Look, Observation, Quote } from '../model/index.ts';
import { type ResolverData, resolver } from '../probes/resolver.ts';
import type { SampleData } from '../probes/sample.ts';
import { splitAddress } from '../reading/connections.ts';
import { frameName, quoteFrame, threadName } from '../reading/python.ts';
import { code, count, duration, list, shellCommand, visible } from '../reading/text.ts';
import { type Asked, type Lookup, tracedQuestions } from './dns-stall.seen.ts';

type Seen<Data> = Extract<Observation<Data>, { seen: true }>;

/** How long one lookup may take at the most: each server as often as allowed, for each of the two kinds of address. */
const longest = (data: ResolverData): number =>
  data.timeoutSeconds * data.attempts * Math.max(1, data.nameServers.length) * (data.search.length > 0 ? 2 : 1);

const fileName = (data: ResolverData): string => data.file ?? '/etc/resolv.conf';

const resolverText = (known: Observation<ResolverData>): string => {
  if (!known.seen) return '';
  const { data } = known;
  const named = data.nameServers.map((each) => visible(each.address));
  const from =
    data.file === null
      ? 'It has no resolv.conf, so 127.0.0.1 is asked'
      : `${code(fileName(data), 120)} names ${list(named)}`;
  const behind =
    data.upstream.length === 0
      ? ''
      : `, behind which stand ${list(data.upstream.slice(0, 4).map((each) => visible(each.address)))}`;
  return ` ${from}${behind}: each is given ${duration(data.timeoutSeconds)} and asked ${count(data.attempts, 'time')}, so that one lookup may take ${duration(longest(data))}.${data.caches.length > 0 ? ` Beside it stands ${list(data.caches)}.` : ' No cache of the host stands before it.'}`;
};

const fixesFor = (
  look: Look,
  asked: Asked | undefined,
  lookups: readonly Lookup[],
  known: Observation<ResolverData>,
): Fix[] => {
  const { pid } = look.target;
  const server =
    asked === undefined
      ? known.seen
        ? known.data.nameServers[0]?.address
        : undefined
      : splitAddress(asked.peer).address;
  const where = lookups[0]?.own == null ? '' : ` in ${frameName(lookups[0].own)}`;
  const stub = server !== undefined && /^127\.0\.0\.5[34]$/.test(server);
  const file = known.seen ? fileName(known.data) : '/etc/resolv.conf';
  const fixes: Fix[] = [
    {
      title:
        server === undefined
          ? 'Ask the name servers as the process does'
          : `Ask ${visible(server)} as the process does`,
      detail: `In its network: the answer should come within some milliseconds. If it does not, the server, the way to it or a firewall is at fault${stub ? ', or what stands behind systemd-resolved' : ''}; if it does, look at the other servers of ${code(file, 120)}.`,
      code:
        server === undefined
          ? `nsenter -t ${pid} -n -m getent ahosts NAME`
          : `${shellCommand(['nsenter', '-t', String(pid), '-n', 'dig', '+time=2', '+tries=1', `@${server.replace(/[^0-9A-Za-z.:%_-]/g, '')}`, 'NAME'])}\n${shellCommand(['nsenter', '-t', String(pid), '-n', '-m', 'getent', 'ahosts', 'NAME'])}${stub ? '\nresolvectl statistics; resolvectl status' : ''}`,
    },
    {
      title: `Give up sooner: ${visible(file)}`,
      detail:
        'Put a server that answers first, add a second one, and shorten the wait. The C library (glibc 2.26 and later) takes a changed file up by itself; older ones need a restart. ' +
        'In containers it is set from outside (`--dns`, `--dns-option`, dnsConfig of a pod). RES_OPTIONS in the environment does it for one service.',
      code: 'nameserver FIRST\nnameserver SECOND\noptions timeout:1 attempts:2 rotate',
    },
    {
      title: 'Keep a cache on the host',
      detail:
        'With systemd-resolved, dnsmasq, unbound or nscd most lookups never leave the host, and one slow server is not felt by each of them.',
      code: 'apt-get install systemd-resolved && systemctl enable --now systemd-resolved     # or: dnsmasq, unbound, nscd',
    },
    {
      title: `Ask less often${where}`,
      detail:
        'Timeouts of sockets do not cover the lookup: `getaddrinfo` takes as long as the resolver lets it. Keep connections open (one session, a pool) instead of resolving for each call, keep addresses for a while, ' +
        'ask only for the family that is used (`socket.AF_INET`; by default IPv4 and IPv6 are both asked), and keep lookups out of event loops.',
      code: 'socket.getaddrinfo(host, port, family=socket.AF_INET, type=socket.SOCK_STREAM)\n# asyncio: await asyncio.wait_for(loop.getaddrinfo(host, port, family=socket.AF_INET), 2)',
    },
  ];
  return fixes;
};

const quotesFor = (
  look: Look,
  sampled: Seen<SampleData>,
  asked: Asked | undefined,
  lookup: Lookup,
  known: Observation<ResolverData>,
): Quote[] => {
  const traced = tracedQuestions(look);
  const { python, resolving, own, thread } = lookup;
  const server = known.seen ? (known.data.options ?? known.data.nameServers[0] ?? null) : null;
  return [
    look.quote(sampled.evidenceId, thread.syscalls[0]?.at ?? thread.at),
    ...(asked === undefined ? [] : [look.quote(asked.quote.evidenceId, asked.quote.at)]),
    ...(python !== null && resolving !== null ? [quoteFrame(look, python, resolving)] : []),
    ...(python !== null && own !== null && own !== resolving ? [quoteFrame(look, python, own)] : []),
    ...(known.seen && server !== null ? [look.quote(known.evidenceId, server.at)] : []),
    ...(traced?.asked == null ? [] : [look.quote(traced.evidenceId, traced.asked)]),
    ...(traced?.timeout == null ? [] : [look.quote(traced.evidenceId, traced.timeout)]),
  ];
};

/** What was asked for, where a trace shows it. */
const namesText = (look: Look): string => {
  const names = tracedQuestions(look)?.names ?? [];
  return names.length === 0 ? '' : ` It asked for ${list(names.map((name) => code(name, 120)))}.`;
};

/** The finding for all threads that wait for name servers. */
export const draftFor = (
  look: Look,
  sampled: Seen<SampleData>,
  asked: Asked | undefined,
  lookups: readonly Lookup[],
  sure: { readonly confidence: number; readonly inferred: string | null },
): FindingDraft | null => {
  const [lookup] = lookups;
  if (lookup === undefined) return null;
  const known = look.see(resolver);
  const { seconds } = sampled.data;
  const { thread, own, share } = lookup;
  const main = thread.tid === look.target.pid;
  const name = threadName(lookup.python ?? { tid: thread.tid, name: thread.comm, main });
  const who = lookups.length > 1 ? `${count(lookups.length, 'thread')} wait` : `${name.replace(/^t/, 'T')} waits`;
  const where = own === null ? '' : ` in ${frameName(own)}`;
  const server = asked === undefined ? 'the resolver' : `name server ${visible(asked.peer)}`;
  const one = asked !== undefined && asked.sockets <= lookups.length;
  const spent = duration(share * seconds);
  return {
    confidence: sure.confidence,
    title: `${who}${where} for ${server} to ${one ? 'answer' : 'answer one slow lookup after the other'}`,
    summary:
      `${lookups.length > 1 ? 'They were' : 'It was'} looking up names for ${spent} of ${duration(seconds)}${lookup.resolving === null ? '' : ` (${frameName(lookup.resolving)})`}` +
      `${asked === undefined ? '' : `, with ${count(asked.sockets, 'socket')} to ${visible(asked.peer)} (${asked.kind})`}.` +
      namesText(look) +
      (one ? ' No answer came in that time.' : ` An answer took about ${duration(lookup.wait)} or more.`) +
      resolverText(known) +
      (sure.inferred === null ? '' : ` Inferred: ${sure.inferred}.`),
    evidence: quotesFor(look, sampled, asked, lookup, known).slice(0, 7),
    fixes: fixesFor(look, asked, lookups, known),
  };
};
