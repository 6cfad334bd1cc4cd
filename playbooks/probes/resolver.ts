import { z } from 'zod';
import {
  defineProbe,
  type Evidence,
  evidenceErrorText,
  evidenceLines,
  LineNumber,
  type Parsed,
  type StepContext,
} from '../model/index.ts';

export const ResolverData = z.object({
  /** resolv.conf as the process sees it, links followed; null when there is none. */
  file: z.string().nullable(),
  /** Those that are asked, in their order; 127.0.0.1 when the file names none (resolv.conf(5)). At most three count. */
  nameServers: z.array(z.object({ address: z.string(), at: LineNumber })),
  /** The servers behind systemd-resolved's own address, where that is asked. */
  upstream: z.array(z.object({ address: z.string(), at: LineNumber })),
  /** Seconds until a question is asked again, and how often each server is asked (defaults 5 and 2, at most 30 and 5). */
  timeoutSeconds: z.number(),
  attempts: z.number().int(),
  options: z.object({ text: z.string(), at: LineNumber }).nullable(),
  search: z.array(z.string()),
  /** The sources of host names, in their order: `files dns` (nsswitch.conf(5)). */
  hosts: z.object({ text: z.string(), at: LineNumber }).nullable(),
  caches: z.array(z.enum(['nscd', 'systemd-resolved'])),
});
export type ResolverData = z.infer<typeof ResolverData>;

interface Line {
  readonly text: string;
  readonly at: number;
}

const behind = (lines: readonly Line[], label: string): Line[] =>
  lines.flatMap(({ text, at }) =>
    text.startsWith(`${label}: `) ? [{ text: text.slice(label.length + 2).trim(), at }] : [],
  );

const servers = (lines: readonly Line[]): { address: string; at: number }[] =>
  lines.flatMap(({ text, at }) => {
    const address = /^nameserver\s+([0-9A-Fa-f.:%A-Za-z_-]{2,60})/.exec(text)?.[1];
    return address === undefined ? [] : [{ address, at }];
  });

const numberIn = (texts: readonly string[], name: string, otherwise: number, most: number): number => {
  const values = texts.flatMap((text) => [
    ...text.matchAll(new RegExp(`(?:^|[\\s=])${name}:(\\d{1,6})(?=\\s|$)`, 'g')),
  ]);
  const last = values.at(-1)?.[1];
  return last === undefined ? otherwise : Math.min(most, Number(last));
};

const parse = (evidence: Evidence, step: StepContext): Parsed<ResolverData> => {
  const lines = evidenceLines(evidence).map((text, index) => ({ text, at: index + 1 }));
  const { pid } = step.target;
  if (lines.some(({ text }) => text.startsWith('== gone: ')))
    return { ok: false, reason: 'target-gone', why: `process ${pid} had ended before its resolver could be read` };
  if (lines.some(({ text }) => text.startsWith('== denied: '))) {
    const why = `the files of process ${pid} may be read only by root and by its own user`;
    return { ok: false, reason: 'no-permission', why };
  }
  if (!lines.some(({ text }) => text.startsWith('== resolver of process '))) {
    const said = evidenceErrorText(evidence).trim().split('\n').at(-1)?.slice(0, 200) ?? '';
    return { ok: false, reason: 'not-parsable', why: `the resolver's files could not be read${said && `: ${said}`}` };
  }
  const file = behind(lines, 'file')[0] ?? null;
  const conf = behind(lines, 'resolv.conf');
  const options = conf.filter(({ text }) => /^options\s/.test(text)).at(-1) ?? null;
  const environment = behind(lines, 'environment').map(({ text }) => text);
  // The environment is read after the file, so it wins.
  const texts = [...(options === null ? [] : [options.text]), ...environment];
  const search = conf.filter(({ text }) => /^(search|domain)\s/.test(text)).at(-1);
  const named = servers(conf).slice(0, 3);
  const hosts = behind(lines, 'nsswitch.conf')[0];
  const data: ResolverData = {
    file: file === null || file.text === 'none' ? null : file.text,
    nameServers: named.length > 0 || file === null ? named : [{ address: '127.0.0.1', at: file.at }],
    upstream: servers(behind(lines, 'upstream')),
    timeoutSeconds: numberIn(texts, 'timeout', 5, 30),
    attempts: Math.max(1, numberIn(texts, 'attempts', 2, 5)),
    options,
    search: search?.text.split(/\s+/).slice(1, 33) ?? [],
    hosts: hosts === undefined ? null : { text: hosts.text.replace(/^hosts:\s*/, ''), at: hosts.at },
    caches: behind(lines, 'cache').flatMap(({ text }) =>
      text === 'nscd' || text === 'systemd-resolved' ? [text] : [],
    ),
  };
  const whole = lines.some(({ text }) => text === '== end');
  return { ok: true, data, partly: whole ? [] : ['what is known of its resolver breaks off'] };
};

/** Which name servers the process asks, how patiently, and what stands before them: resolv.conf(5), nsswitch.conf(5). */
export const resolver = defineProbe<ResolverData>({
  id: 'resolver',
  title: 'How it resolves names',
  phase: 1,
  impacts: ['none'],
  ptraces: false,
  needs: { privilege: 'none' },
  limits: { seconds: () => 5, bytes: 65_536, endWith: 'TERM' },
  options: z.strictObject({}),
  data: ResolverData,
  command: (step) => ({ argv: ['sh', '{script:resolver.sh}', String(step.target.pid)], scripts: ['resolver.sh'] }),
  parse,
});
