import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { hostLookup } from '../../infra/hosts.ts';
import { startSshd } from '../../infra/sandbox/sshd.ts';
import { investigate } from '../../workers/investigate.ts';
import { loadKnowledge } from '../../workers/knowledge.ts';
import { keepFolderOf, shellOpener } from '../../workers/reach.ts';
import type { HostShell } from '../../workers/ssh/shell.ts';
import { startDelayingProxy } from './delaying-proxy.ts';
import { startHeartbeat } from './heartbeat.ts';
import type { Print } from './run.ts';
import { numberFrom } from './settings.ts';

/** How far away the host is, and how often it is looked at. */
export interface FarLooks {
  readonly roundTripMs: number;
  readonly windowSeconds: number;
  readonly rounds: number;
}

/** What a look may take beyond its window: so much, and three round trips. */
const BEYOND = 0.3;
const TRIPS_AIMED_AT = 3;

/** Where a look's time goes, s. `steps` are waited for one after another: those side by side count as one. */
interface Parts {
  readonly whole: number;
  readonly open: number;
  readonly identify: number;
  readonly window: number;
  readonly later: number;
  readonly source: number;
  readonly lastCheck: number;
  readonly close: number;
}

const NAMES: Readonly<Record<keyof Parts, string>> = {
  whole: 'whole look',
  open: 'connection and shell',
  identify: 'identify',
  window: 'steps of the window',
  later: 'steps that causes asked for after it',
  source: 'lines of source',
  lastCheck: 'last check',
  close: 'clearing up',
};

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

/** A shell that notes when its steps began and ended. */
const noted = (
  shell: HostShell,
  ran: Map<string, { began: number; ended: number }>,
  closing: (took: number) => void,
) => {
  const own: HostShell = {
    get root() {
      return shell.root;
    },
    get installed() {
      return shell.installed ?? null;
    },
    run: async (step) => {
      const began = performance.now();
      const result = await shell.run(step);
      ran.set(step.id, { began, ended: performance.now() });
      return result;
    },
    cancel: (id) => shell.cancel(id),
    leave: () => shell.leave?.(),
    remember: (facts) => shell.remember?.(facts),
    close: async () => {
      const began = performance.now();
      await shell.close();
      closing(performance.now() - began);
    },
  };
  return own;
};

const partsOf = (
  whole: number,
  open: number,
  close: number,
  ran: ReadonlyMap<string, { began: number; ended: number }>,
  isLater: (probe: string) => boolean,
): Parts => {
  const lengthOf = (ids: readonly string[]): number => {
    const steps = ids.flatMap((id) => ran.get(id) ?? []);
    if (steps.length === 0) return 0;
    return Math.max(...steps.map(({ ended }) => ended)) - Math.min(...steps.map(({ began }) => began));
  };
  const apart = ['identify', 'source-lines', 'last-check'];
  return {
    whole: whole / 1000,
    open: open / 1000,
    identify: lengthOf(['identify']) / 1000,
    window: lengthOf([...ran.keys()].filter((id) => !apart.includes(id) && !isLater(id))) / 1000,
    later: lengthOf([...ran.keys()].filter((id) => !apart.includes(id) && isLater(id))) / 1000,
    source: lengthOf(['source-lines']) / 1000,
    lastCheck: lengthOf(['last-check']) / 1000,
    close: close / 1000,
  };
};

/**
 * Looks at a healthy process over a way on which a round trip takes `roundTripMs`, and over one without delay: what lies between
 * the two, divided by a round trip, is how many a look waits for, one after another. Processor time is in both and falls out.
 */
export const lookFromFar = async (print: Print, { roundTripMs, windowSeconds, rounds }: FarLooks): Promise<void> => {
  const closers: (() => unknown)[] = [];
  try {
    const folder = await mkdtemp(path.join(tmpdir(), 'straceback-bench-'));
    closers.push(() => rm(folder, { recursive: true, force: true }));
    const sshd = await startSshd();
    closers.push(sshd.stop);
    const target = await startHeartbeat();
    closers.push(target.stop);
    const ways = new Map<string, number>([
      ['near', 0],
      ['far', roundTripMs],
    ]);
    const known = await readFile(sshd.knownHostsFile, 'utf8');
    const hosts = [];
    const proxies = new Map<string, Awaited<ReturnType<typeof startDelayingProxy>>>();
    for (const [name, ms] of ways) {
      const proxy = await startDelayingProxy(sshd.port, ms);
      closers.push(proxy.close);
      proxies.set(name, proxy);
      await appendFile(sshd.knownHostsFile, known.replaceAll(`:${sshd.port} `, `:${proxy.port} `));
      hosts.push(sshd.host(name, { port: proxy.port, keepFolder: folder }));
    }
    const lookup = hostLookup(hosts);
    const opener = shellOpener(lookup);
    closers.push(opener.close);
    const knowledge = await loadKnowledge();

    const look = async (host: string): Promise<Parts> => {
      const ran = new Map<string, { began: number; ended: number }>();
      let [opened, closed] = [0, 0];
      const began = performance.now();
      await investigate(
        {
          id: crypto.randomUUID(),
          host,
          pid: target.pid,
          playbook: 'triage',
          windowSeconds,
          allow: ['none'],
          origin: { kind: 'terminal' },
          requestedAt: Date.now(),
        },
        {
          ...knowledge,
          openShell: async (name, first) => {
            const asked = performance.now();
            const shell = await opener.openShell(name, first);
            opened = performance.now() - asked;
            return noted(shell, ran, (took) => {
              closed = took;
            });
          },
          keepFolder: keepFolderOf(lookup),
          progress: () => {},
          journal: { started: async () => {}, earlier: async () => [] },
          signal: new AbortController().signal,
          now: Date.now,
        },
      );
      const isLater = (id: string) => (knowledge.probes.get(id)?.phase ?? 1) > 2;
      return partsOf(performance.now() - began, opened, closed, ran, isLater);
    };

    for (const temperature of ['new connection', 'warm connection']) {
      const taken = new Map<string, Parts[]>();
      for (let round = 0; round < rounds; round += 1) {
        for (const name of ways.keys()) {
          if (temperature === 'new connection') await opener.close();
          taken.set(name, [...(taken.get(name) ?? []), await look(name)]);
        }
      }
      for (const part of Object.keys(NAMES) as (keyof Parts)[]) {
        const of = (name: string) => median((taken.get(name) ?? []).map((parts) => parts[part]));
        const [near, far] = [of('near'), of('far')];
        print('far', `${temperature}, ${NAMES[part]}, without delay`, near, 's');
        print('far', `${temperature}, ${NAMES[part]}, ${roundTripMs} ms away`, far, 's');
        if (roundTripMs > 0)
          print('far', `${temperature}, ${NAMES[part]}`, ((far - near) * 1000) / roundTripMs, 'round trips');
      }
    }
    print(
      'far',
      'aim for a look over a warm connection',
      windowSeconds + BEYOND + (TRIPS_AIMED_AT * roundTripMs) / 1000,
      's',
    );
    const { there, back } = proxies.get('far')?.bytes() ?? { there: 0, back: 0 };
    print('far', 'sent to the host, all looks', there / 1024, 'KiB');
    print('far', 'came back, all looks', back / 1024, 'KiB');
  } finally {
    for (const close of closers.reverse()) await close();
  }
};

/** Looks at a host as far away as the environment says, 200 ms if it does not. */
export const run = (print: Print): Promise<void> =>
  lookFromFar(print, {
    roundTripMs: numberFrom('STRACEBACK_BENCH_RTT_MS', 200),
    windowSeconds: 3,
    rounds: numberFrom('STRACEBACK_BENCH_ROUNDS', 3),
  });
