import { z } from 'zod';
import { Failure } from './failure.ts';
import { HostName, Pid } from './request.ts';

/** Text that a person typed or a rule made; it is compared with names of the host and never run. */
const Pattern = z
  .string()
  .min(1, 'something has to follow the colon')
  .max(200, 'that is too long')
  .regex(/^[^\p{Cc}\p{Cs}]+$/u, 'control characters are in no name');

/** What `top:` can rank by. */
export const TopBy = z.enum(['cpu', 'rss', 'fds']);
export type TopBy = z.infer<typeof TopBy>;

/**
 * Which process of a host is meant. `name` is a glob (`*`, `?`) on the command's name, or on a part of the command line;
 * `container` the beginning of the container's id, or its name, perhaps with a pid as it is seen inside; `pod` a pod of Kubernetes, perhaps
 * with one of its containers; `port` a TCP port that is listened on. `successor` is not typed by
 * anybody: it asks for the process that took the place of one that was looked at.
 */
export const Selector = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('pid'), pid: Pid }),
  z.strictObject({ kind: z.literal('unit'), name: Pattern }),
  z.strictObject({ kind: z.literal('name'), pattern: Pattern }),
  z.strictObject({ kind: z.literal('port'), port: z.number().int().min(1).max(65_535) }),
  z.strictObject({ kind: z.literal('container'), id: Pattern, pid: Pid.optional() }),
  z.strictObject({ kind: z.literal('pod'), namespace: Pattern, name: Pattern, container: Pattern.optional() }),
  z.strictObject({ kind: z.literal('top'), by: TopBy }),
  z.strictObject({
    kind: z.literal('successor'),
    pid: Pid,
    startTime: z.string().regex(/^\d+$/),
    command: z.string().max(20_000),
    unit: z.string().max(300).optional(),
    ports: z.array(z.number().int()).max(200).optional(),
  }),
]);
export type Selector = z.infer<typeof Selector>;

/** How selectors are written, for usage lines. */
export const SELECTORS =
  'PID | unit:NAME | name:PATTERN | port:N | container:ID | pod:NAMESPACE/NAME | top:cpu|rss|fds';

const MAX_PID = 4_194_304;

/** Reads a selector as it is typed: `6325`, `unit:web.service`, `port:8080`. A sentence without a full stop when it is none. */
export const readSelector = (text: string): Selector | string => {
  if (/^\d+$/.test(text)) {
    const pid = Pid.safeParse(Number(text));
    return pid.success ? { kind: 'pid', pid: pid.data } : `a process id is a number from 1 to ${MAX_PID}`;
  }
  const colon = text.indexOf(':');
  const kind = text.slice(0, Math.max(0, colon)).toLowerCase();
  const value = text.slice(colon + 1).trim();
  const made = ((): unknown => {
    switch (kind) {
      case 'pid':
        return { kind, pid: Number(value) };
      case 'unit':
        return { kind, name: value };
      case 'name':
        return { kind, pattern: value };
      case 'port':
        return { kind, port: /^\d{1,5}$/.test(value) ? Number(value) : null };
      case 'container': {
        // No runtime allows a slash in an id or a name.
        const [, id = value, pid] = /^(.*)\/(\d+)$/.exec(value) ?? [];
        return pid === undefined ? { kind, id } : { kind, id, pid: Number(pid) };
      }
      case 'pod': {
        const [namespace, name, container, ...more] = value.split('/');
        return more.length > 0 ? {} : { kind, namespace, name, ...(container === undefined ? {} : { container }) };
      }
      case 'top':
        return { kind, by: value.toLowerCase() };
      default:
        return null;
    }
  })();
  if (made === null) return `a process is named by its process id or by ${SELECTORS.replaceAll(' | ', ', ').slice(5)}`;
  const parsed = Selector.safeParse(made);
  if (parsed.success) return parsed.data;
  switch (kind) {
    case 'port':
      return 'after `port:` comes a number from 1 to 65535';
    case 'top':
      return 'after `top:` comes `cpu`, `rss` or `fds`';
    case 'pid':
      return `a process id is a number from 1 to ${MAX_PID}`;
    case 'pod':
      return 'after `pod:` comes NAMESPACE/NAME or NAMESPACE/NAME/CONTAINER';
    default:
      return `after \`${kind}:\` comes a name: ${parsed.error.issues[0]?.message ?? 'it is refused'}`;
  }
};

/** A selector as it is typed; for a successor, whom it succeeds. */
export const selectorText = (selector: Selector): string => {
  switch (selector.kind) {
    case 'pid':
      return String(selector.pid);
    case 'unit':
      return `unit:${selector.name}`;
    case 'name':
      return `name:${selector.pattern}`;
    case 'port':
      return `port:${selector.port}`;
    case 'container':
      return `container:${selector.id}${selector.pid === undefined ? '' : `/${selector.pid}`}`;
    case 'pod':
      return `pod:${[selector.namespace, selector.name, ...(selector.container === undefined ? [] : [selector.container])].join('/')}`;
    case 'top':
      return `top:${selector.by}`;
    case 'successor':
      return `the successor of ${selector.pid}`;
  }
};

/** A process that may be the one that is meant. Everything in it is the host's word. */
export const Candidate = z.object({
  pid: Pid,
  /** Field 22 of /proc/PID/stat, clock ticks after boot (proc(5)). */
  startTime: z.string().regex(/^\d+$/),
  parent: z.number().int(),
  /** Its name (comm), at most 15 bytes. */
  name: z.string(),
  /** Its command line; `[name]` when it has none. Cut when it is long. */
  command: z.string(),
  ageSeconds: z.number(),
  /** Percent of one CPU, while the host was looked through (about half a second). */
  cpuPercent: z.number(),
  rssKib: z.number(),
  /** Open descriptors; null when they may not be counted. */
  fds: z.number().int().nullable(),
  user: z.string(),
  /** Innermost systemd service, scope or slice of its control group. */
  unit: z.string().nullable(),
  container: z.string().nullable(),
  /** What its runtime calls the container. */
  containerName: z.string().optional(),
  /** `NAMESPACE/NAME/CONTAINER` of Kubernetes; without the last where it is not known. */
  pod: z.string().optional(),
  /** Its process id in the innermost pid namespace, where that is another one. */
  pidInside: z.number().int().optional(),
  /** TCP ports that it listens on, ascending. */
  ports: z.array(z.number().int()),
  /** In a server that forks: the process that the others were forked from, or one of those. */
  role: z.enum(['master', 'worker']).optional(),
});
export type Candidate = z.infer<typeof Candidate>;

/** The processes that a selector means. */
export const Found = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('found'),
    host: HostName,
    selector: Selector,
    /** The likeliest first: a master before its workers, then by CPU. At most 100. */
    candidates: z.array(Candidate),
    /** All that match; more than `candidates` when those were cut. */
    total: z.number().int(),
    /** The one that is meant, beyond doubt; null when none matches or a person has to choose. */
    pick: Candidate.nullable(),
    /** The one to take where nobody can be asked: `pick`, else the one that does most (a worker before its master). */
    likely: Candidate.nullable(),
    /** How `pick` or `likely` follow from the selector, one sentence: `It listens on port 8080.` */
    how: z.string(),
    /** For none: what is near, one sentence (ports that are listened on, units alike). Else empty. */
    near: z.string(),
    /** What could not be seen on the host, one sentence each. */
    partly: z.array(z.string()),
  }),
  z.object({ kind: z.literal('failure'), failure: Failure }),
]);
export type Found = z.infer<typeof Found>;
