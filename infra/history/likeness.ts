import type { Finding, Report, ReportTarget } from '../../playbooks/model/index.ts';

/** Numbers, addresses and ids change from one process to the next. What is left names the thing. */
const timeless = (text: string): string =>
  text
    .replace(/0x[0-9a-f]+/gi, '#')
    .replace(/\b(?=[0-9a-f]*\d)[0-9a-f]{8,}(?:-[0-9a-f]{4,}){0,4}\b/gi, '#')
    .replace(/\d+/g, '#')
    .trim();

const MOST = 300;
const baseName = (word: string): string => word.slice(word.lastIndexOf('/') + 1);

/**
 * Which service a process belongs to, the same for each of its workers and after each restart: its unit, else what its
 * command line runs.
 */
export const serviceOf = ({ unit, command }: Pick<ReportTarget, 'unit' | 'command'>): string => {
  if (unit !== undefined && unit !== '') return timeless(unit).slice(0, MOST);
  const [first = '', ...rest] = command.split(/\s+/).filter((word) => word !== '');
  const program = rest.find((word) => !word.startsWith('-') && !/^\d+$/.test(word));
  return timeless([baseName(first), ...(program === undefined ? [] : [baseName(program)])].join(' ')).slice(0, MOST);
};

/** A peer (`db.example.com:5432`, `10.0.4.7:6379`): its numbers are its name. */
const PEER = /\b(?:\d{1,3}(?:\.\d{1,3}){3}|[a-z0-9][a-z0-9-]*(?:\.[a-z0-9-]+)+):\d{2,5}\b/gi;
/** `pool.py:41` looks like a peer and is none. */
const SOURCE = /\.(?:py[xid]?|c|cc|cpp|h|hpp|so|rs|go|js|ts|rb|php|java|lua|pl|sh):\d+$/i;
/** A line of code moves with every release; its file and function stay. */
const withoutLine = (name: string): string => name.replace(/:\d+(?=$|[),\s])/g, '');

const namesIn = (text: string): string[] => {
  const spans = [...text.matchAll(/`([^`]+)`/g)].map(([, span = '']) => span);
  const peers = [...text.matchAll(PEER)].map(([peer]) => peer).filter((peer) => !SOURCE.test(peer));
  const own = spans.filter((span) => !peers.some((peer) => span.includes(peer)));
  return [...peers, ...own.map((span) => timeless(withoutLine(span)))].filter((name) => name !== '' && name !== '#');
};

/**
 * Where a finding is: the function that its source shows, else what its title names (a lock, a peer, a place in code), else what its
 * summary names. The same for another process of the same service with the same trouble; empty when nothing is named.
 */
export const placeOf = ({ source, title, summary }: Pick<Finding, 'source' | 'title' | 'summary'>): string => {
  const [first] = source ?? [];
  if (first !== undefined) return timeless(`${first.file}:${first.function}`).slice(0, MOST);
  const named = namesIn(title);
  const names = named.length > 0 ? named : namesIn(summary);
  return [...new Set(names)].slice(0, 3).join(' ').slice(0, MOST);
};

/** The finding that a report is compared by: its first one, when it is a fault and more than a hint. */
export const faultOf = ({ findings }: Pick<Report, 'findings'>): Finding | null => {
  const first = findings.find(({ confidence, cause }) => confidence >= 0.5 || cause === 'healthy');
  return first === undefined || first.cause === 'healthy' ? null : first;
};
