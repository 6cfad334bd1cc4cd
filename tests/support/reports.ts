import type { Finding, Report } from '../../playbooks/model/index.ts';

const evidence: Report['evidence'] = [
  {
    id: 'E1',
    probe: 'identify',
    command: 'sh identify.sh 6325',
    exit: 0,
    seconds: 0.084,
    bytes: 5_812,
    truncated: false,
  },
  {
    id: 'E2',
    probe: 'sample',
    command: 'python3 sample.py 6325 3',
    exit: 0,
    seconds: 3.02,
    bytes: 48_211,
    truncated: false,
  },
  {
    id: 'E3',
    probe: 'strace',
    command: 'strace -f -p 6325',
    exit: null,
    seconds: 3.1,
    bytes: 2_097_152,
    truncated: true,
  },
  {
    id: 'E4',
    probe: 'py-bt',
    command: "gdb -nx -batch -p 6325 -ex 'thread apply all py-bt'",
    exit: 0,
    seconds: 1.4,
    bytes: 9_120,
    truncated: false,
  },
];

const deadlock: Finding = {
  cause: 'signal-handler-deadlock',
  confidence: 0.97,
  title: 'Main thread waits in its own SIGTERM handler for /var/run/pool.lock, which it holds itself',
  summary:
    'The handler `on_terminate` (pool.py:88) interrupted `Pool.save` (pool.py:41) inside its `with self.lock` block and waits for ' +
    'the same lock. Nothing can release it, because the code that would is under the handler.',
  evidence: [
    { evidenceId: 'E4', line: 12, text: '  File "/srv/app/pool.py", line 88, in on_terminate' },
    { evidenceId: 'E4', line: 20, text: '  File "/srv/app/pool.py", line 41, in save' },
    {
      evidenceId: 'E3',
      line: 7,
      text: '6325  1700000000.123456 flock(7, LOCK_EX|LOCK_NB) = -1 EAGAIN (Resource temporarily unavailable)',
    },
  ],
  fixes: [
    {
      title: 'Let the handler only set a flag',
      detail:
        'A signal handler must not lock, log or write to buffered files. Set a flag and let the loop end by itself.',
      code: 'def on_terminate(signum, frame):\n    stopping.set()\n',
    },
    { title: 'Send SIGTERM once', detail: 'Then wait with a deadline and send SIGKILL once.' },
  ],
};

const storm: Finding = {
  cause: 'signal-storm',
  confidence: 0.92,
  title: 'Process 6300 sends SIGTERM to this process every second',
  summary: 'The parent repeats SIGTERM to a process that cannot end.',
  evidence: [
    {
      evidenceId: 'E3',
      line: 3,
      text: '--- SIGTERM {si_signo=SIGTERM, si_code=SI_USER, si_pid=6300, si_uid=1000} ---',
    },
  ],
  fixes: [],
  related: [{ pid: 6300, why: 'it sends the signals' }],
  explainedBy: 'signal-handler-deadlock',
};

const hint: Finding = {
  cause: 'file-lock-wait',
  confidence: 0.3,
  title: 'A lock attempt failed once',
  summary: 'One `flock` failed with EAGAIN.',
  evidence: [],
  fixes: [],
};

/** A process with a decisive finding, one that it explains, a hint, and everything else that a report can hold. */
export const sickReport: Report = {
  id: 'r-5f0c2a7d',
  target: {
    host: 'web-7',
    pid: 6325,
    startTime: '123456',
    command: '/usr/bin/python3 /srv/app/pool.py --queue mail',
    runtime: 'CPython 3.11.2',
  },
  playbook: 'triage',
  startedAt: '2024-05-01T12:00:03.000Z',
  seconds: 6.4,
  findings: [deadlock, storm, hint],
  ruledOut: [
    { cause: 'busy-loop', why: 'no thread used more than 2 % of a core' },
    { cause: 'oom-killed', why: 'the kernel log names no process of this family' },
  ],
  cannotTell: [
    { cause: 'thread-deadlock', why: 'py-stacks: not built for this interpreter' },
    { cause: 'gil-contention', why: 'py-stacks: not built for this interpreter' },
  ],
  caveats: [
    'The executable was replaced on disk since the process started; files on disk may differ from the code that runs.',
  ],
  impact: {
    longestStallMs: 1_310,
    steps: [
      { probe: 'identify', impact: 'none', seconds: 0.084 },
      { probe: 'sample', impact: 'none', seconds: 3.02 },
      { probe: 'strace', impact: 'slows', seconds: 3.1 },
      { probe: 'py-bt', impact: 'stops', seconds: 1.4 },
    ],
  },
  evidence,
};

/** A process that is well. */
export const healthyReport: Report = {
  ...sickReport,
  id: 'r-healthy1',
  findings: [
    {
      cause: 'healthy',
      confidence: 0.9,
      title: 'No fault: it waits for work in epoll_wait',
      summary: 'All 4 threads wait for work, as an idle server does; the event loop came round 12 times in the window.',
      evidence: [{ evidenceId: 'E2', line: 4, text: '6325 epoll_wait(4, …)' }],
      fixes: [],
    },
  ],
  ruledOut: [{ cause: 'busy-loop', why: 'no thread used more than 2 % of a core' }],
  cannotTell: [],
  caveats: [],
  impact: { longestStallMs: 0, steps: [{ probe: 'identify', impact: 'none', seconds: 0.1 }] },
  evidence: evidence.slice(0, 2),
};

/** A look that learnt nothing decisive. */
export const unclearReport: Report = {
  ...healthyReport,
  id: 'r-unclear1',
  findings: [hint],
  ruledOut: [],
  cannotTell: [{ cause: 'busy-loop', why: 'no permission to trace process 6325' }],
};

/** Texts that a host might send to break out of a message, a line or a terminal. */
export const HOSTILE = [
  '<!channel> <!here> <@U0001> <https://evil.example|click>',
  '``` *bold* _it_ ~no~ `code` > quote',
  '\u001b[2J\u001b[31mred\u0007 \u202egnp.exe \u2066x\u2069 \u200b\u200f \u061c',
  'line one\nline two\r\nline three\u2028four',
  '\ud800 lone, \ufffd replaced, 😀 whole',
  '&lt;!channel&gt; &amp;amp;',
  ':rotating_light: @channel #general http://evil.example',
] as const;

/** The sick report with all its free texts hostile. */
export const hostileReport: Report = {
  ...sickReport,
  id: 'r-hostile1',
  target: { ...sickReport.target, command: HOSTILE.join(' '), runtime: HOSTILE[0] },
  findings: HOSTILE.map((text, index) => ({
    cause: 'busy-loop',
    confidence: 0.95 - index / 10,
    title: text,
    summary: text,
    evidence: HOSTILE.map((line, at) => ({ evidenceId: 'E1', line: at + 1, text: line })),
    fixes: [{ title: text, detail: text, code: text }],
    related: [{ pid: 7, why: text }],
  })),
  ruledOut: HOSTILE.map((why) => ({ cause: 'oom-killed', why })),
  cannotTell: HOSTILE.map((why) => ({ cause: 'fd-leak', why })),
  caveats: [...HOSTILE],
  evidence: HOSTILE.map((command, index) => ({
    ...(evidence[0] as Report['evidence'][number]),
    id: `E${index + 1}`,
    command,
  })),
};
