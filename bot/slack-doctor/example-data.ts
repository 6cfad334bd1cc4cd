import type { Failure, Finding, Progress, Report } from '../../playbooks/model/index.ts';
import { type Group, newGroup } from '../alerts/group.ts';
import type { Storm } from '../alerts/storm-state.ts';
import type { Wanted } from '../approvals/wanted.ts';
import type { Asked } from '../thread/first-message.ts';
import type { Watch } from '../watches/state.ts';

/*
 * What never was: a process, its reports and alerts, as long and as strange as they come. Slack looks at what the bot makes of it.
 */

export const PERSON = 'U0000EXAMPLE';
export const CHANNEL = 'C0000EXAMPLE';
const AT = Date.UTC(2026, 0, 15, 10, 30);
const STRANGE = 'a <b> & `c` *d* _e_ ~f~ "g" 编译 🔴 \u202e';

export const EXAMPLE_LOOK: Asked = {
  id: 'r-0123456789abcdef',
  host: 'example-host',
  pid: 4242,
  playbook: 'triage',
  windowSeconds: 3,
  allow: ['none', 'slows'],
  requestedAt: AT,
};

const finding: Finding = {
  cause: 'thread-deadlock',
  confidence: 0.97,
  title: 'Two threads wait for each other’s lock',
  summary:
    'Thread 4243 holds the lock at `pool.py:41` and waits for the one at `cache.py:17`; thread 4244 the other way round.',
  evidence: [
    { evidenceId: 'E1', line: 3, text: '  File "/srv/app/pool.py", line 41, in save' },
    { evidenceId: 'E1', line: 9, text: `  ${STRANGE}` },
  ],
  fixes: [
    {
      title: 'Take the locks in one order',
      detail: 'Both places have to take the same lock first.',
      code: 'with a, b:\n    save()\n',
    },
    { title: 'Give one of them a limit', detail: 'A lock that is not had within seconds is a fault to be told.' },
  ],
};

const base: Report = {
  id: EXAMPLE_LOOK.id,
  target: {
    host: 'example-host',
    pid: 4242,
    startTime: '123456',
    command: 'python3 -m app',
    runtime: 'CPython 3.11.2',
  },
  playbook: 'triage',
  startedAt: new Date(AT).toISOString(),
  seconds: 4.2,
  findings: [],
  ruledOut: [{ cause: 'busy-loop', why: 'It used 2 % of a processor over the window.' }],
  cannotTell: [{ cause: 'socket-leak', why: 'The list of its sockets could not be read.' }],
  caveats: ['The kernel’s log could not be read without root.'],
  impact: { longestStallMs: 6, steps: [{ probe: 'c-stacks', impact: 'stops', seconds: 0.01 }] },
  evidence: [
    {
      id: 'E1',
      probe: 'py-stacks',
      command: 'python3 stacks.py 4242',
      exit: 0,
      seconds: 3.1,
      bytes: 48_211,
      truncated: false,
    },
  ],
  memory: '304 MiB resident: 277 MiB free in malloc (91 %)',
  figures: { cpuPercent: 2, rssKib: 311_296, threads: 22, fds: 40, fdLimit: 1_024 },
};

const long = (text: string, times: number): string => Array.from({ length: times }, () => text).join(' ');

/** Reports of every kind: each way in which a look can end, and one that is far beyond what Slack takes. */
export const EXAMPLE_REPORTS: Readonly<Record<'sick' | 'healthy' | 'cannot tell' | 'huge', Report>> = {
  sick: { ...base, findings: [finding] },
  healthy: {
    ...base,
    findings: [
      {
        ...finding,
        cause: 'healthy',
        confidence: 0.9,
        title: 'Nothing is wrong with it',
        summary: 'It answers.',
        fixes: [],
      },
    ],
  },
  'cannot tell': base,
  huge: {
    ...base,
    findings: Array.from({ length: 30 }, (_, index) => ({
      ...finding,
      title: `${index} ${long(STRANGE, 20)}`,
      summary: long(`\`name_${index}\` ${STRANGE}`, 200),
      evidence: Array.from({ length: 40 }, () => ({ evidenceId: 'E1', line: 1, text: long(STRANGE, 50) })),
      fixes: Array.from({ length: 8 }, () => ({
        title: long(STRANGE, 20),
        detail: long(STRANGE, 100),
        code: long(STRANGE, 300),
      })),
    })),
    ruledOut: Array.from({ length: 120 }, () => ({ cause: 'busy-loop', why: long(STRANGE, 20) })),
    caveats: Array.from({ length: 60 }, () => long(STRANGE, 40)),
    evidence: Array.from({ length: 80 }, (_, index) => ({
      id: `E${index + 1}`,
      probe: 'strace',
      command: long(STRANGE, 60),
      exit: null,
      seconds: 60,
      bytes: 2 ** 31,
      truncated: true,
    })),
    shown: {
      probe: 'strace',
      evidenceId: 'E1',
      why: null,
      lines: Array.from({ length: 400 }, () => STRANGE),
      summary: false,
      total: 9_999,
    },
  },
};

export const EXAMPLE_PROGRESS: Progress = {
  requestId: EXAMPLE_LOOK.id,
  doing: 'Watching its threads',
  probes: ['sample', 'py-stacks'],
  percent: 40,
  seconds: 1.5,
};

export const EXAMPLE_FAILURE: Failure = {
  code: 'no-such-process',
  sentence: 'No process 4242 runs on `example-host`.',
};

export const EXAMPLE_WANTED: Wanted = {
  asked: { ...EXAMPLE_LOOK, playbook: 'gcore', allow: ['none', 'stops', 'writes-disk'] },
  needs: ['stops', 'writes-disk'],
  team: 'T0000EXAMPLE',
  channel: CHANNEL,
  user: PERSON,
  threadTs: '1700000000.000100',
  first: false,
  lastSeen: { startTime: '123456', command: `python3 -m app ${STRANGE}`, rssKib: 311_296, swapKib: 0, threads: 22 },
  until: AT,
};

const fresh: Group = newGroup(
  {
    source: 'alertmanager',
    group: 'example',
    title: `Requests wait ${STRANGE}`,
    severity: 'critical',
    labels: {},
    status: 'firing',
    alerts: [],
    more: 0,
    url: null,
    at: AT,
  },
  { channel: CHANNEL, route: 'example', mention: [PERSON, 'S0000EXAMPLE'] },
);
const firing: Group = {
  ...fresh,
  labels: { instance: 'example-host:9100', service: STRANGE },
  url: 'https://alerts.example.com/1',
  alerts: [{ id: 'a', status: 'firing', startsAt: AT, endsAt: null, at: AT }],
  told: 3,
  firing: true,
  episodes: 1,
};
const look: Group['looks'][number] = {
  id: 'look-1',
  host: 'example-host',
  selector: { kind: 'port', port: 8080 },
  choose: 'likely',
  playbook: 'triage',
  at: AT,
  state: 'asked',
};

/** A group of alerts in each state that its thread shows. */
export const EXAMPLE_GROUPS: Readonly<Record<string, Group>> = {
  'without a look': { ...firing, noLook: 'the route names no process' },
  waiting: { ...firing, looks: [look] },
  ...Object.fromEntries(
    (['running', 'done', 'failed', 'listed', 'left'] as const).map((state) => [
      state,
      { ...firing, looks: [{ ...look, state, pid: 4242, said: STRANGE, cause: 'thread-deadlock' }] },
    ]),
  ),
  resolved: {
    ...firing,
    firing: false,
    resolvedAt: AT + 60_000,
    episodes: 2,
    same: [{ group: 'alert-2', title: STRANGE, channel: CHANNEL, ts: '1700000000.000200', cause: 'thread-deadlock' }],
  },
};

export const EXAMPLE_STORM: Storm = {
  id: 'storm-0123456789abcdef',
  channel: CHANNEL,
  startedAt: AT,
  lastAt: AT,
  members: Array.from({ length: 300 }, (_, index) => ({
    id: `alert-${index}`,
    severity: (['critical', 'warning', 'unknown'] as const)[index % 3] ?? 'unknown',
    title: long(STRANGE, 10),
    firing: index % 2 === 0,
    since: AT,
    resolvedAt: index % 2 === 0 ? null : AT,
    said: STRANGE,
  })),
  mention: [PERSON],
  mentioned: [],
  ts: null,
  posting: false,
  showing: null,
  shows: 0,
  shown: '',
  filed: 0,
};

export const EXAMPLE_WATCH: Watch = {
  id: 'watch-1',
  team: 'T0000EXAMPLE',
  channel: CHANNEL,
  threadTs: '1700000000.000100',
  user: PERSON,
  host: 'example-host',
  pid: 4242,
  messageTs: null,
  startedAt: AT,
  until: AT + 600_000,
  startTime: '123456',
  command: 'python3 -m app',
  round: 40,
  points: Array.from({ length: 40 }, (_, index) => ({
    at: AT + index * 30_000,
    cpuPercent: index,
    rssKib: 300_000 + index * 1_000,
    threads: 22,
    fds: index % 5 === 0 ? null : 40,
  })),
  failing: { times: 2, sentence: 'The host could not be reached.' },
  compared: true,
  causes: [{ cause: 'thread-deadlock', title: finding.title, present: true, seen: true, clear: 0, said: 1 }],
  ended: null,
};
