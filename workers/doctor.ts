import { LookFailed } from '../playbooks/model/index.ts';
import { identify } from '../playbooks/probes/identify.ts';
import type { InstalledRunner } from './ssh/frames.ts';
import type { HostShell } from './ssh/shell.ts';
import { collectStep, evidenceIds } from './stages/collect.ts';
import { observe } from './stages/observe.ts';

/** What `doctor` found on a host. */
export interface Diagnosis {
  readonly host: string;
  readonly kernel: string;
  readonly distribution: string;
  readonly root: boolean;
  /** The runner that is installed there; null where it is sent. */
  readonly runner: InstalledRunner | null;
  readonly ptraceScope: number | null;
  readonly python: string | null;
  readonly tools: Readonly<Record<string, string>>;
  /** What is missing and what it costs, one sentence each. */
  readonly missing: readonly { readonly tool: string; readonly package: string; readonly why: string }[];
  /** The exact command that installs all that is missing; null when nothing is, or the package manager is unknown. */
  readonly install: string | null;
}

interface Wanted {
  readonly tool: string;
  readonly why: string;
  /** Package by family of distribution. */
  readonly packages: Readonly<Record<Family, string>>;
}

type Family = 'debian' | 'redhat' | 'alpine' | 'suse';

const WANTED: readonly Wanted[] = [
  wanted('strace', 'system calls cannot be traced', 'strace'),
  wanted('ss', 'sockets are read from /proc, without queues and timers', 'iproute2', { redhat: 'iproute' }),
  wanted('lsof', 'open files cannot be listed', 'lsof'),
  wanted('eu-stack', 'C stacks need gdb, which stops the process for longer', 'elfutils'),
  wanted('gdb', 'no py-bt and no cores', 'gdb'),
  wanted('python3', 'Python stacks cannot be read from outside', 'python3'),
  wanted('timeout', 'steps cannot be bounded, so nothing runs', 'coreutils'),
];

function wanted(tool: string, why: string, name: string, other: Partial<Record<Family, string>> = {}): Wanted {
  return { tool, why, packages: { debian: name, redhat: name, alpine: name, suse: name, ...other } };
}

const INSTALL: Readonly<Record<Family, string>> = {
  debian: 'apt-get install -y',
  redhat: 'dnf install -y',
  alpine: 'apk add',
  suse: 'zypper install -y',
};

const familyOf = (osRelease: string): Family | null => {
  const words = [...osRelease.matchAll(/^ID(?:_LIKE)?=(.*)$/gm)].flatMap((match) =>
    (match[1] ?? '').replace(/["']/g, '').split(/\s+/),
  );
  if (words.some((word) => word === 'debian' || word === 'ubuntu')) return 'debian';
  if (words.some((word) => ['rhel', 'fedora', 'centos', 'amzn'].includes(word))) return 'redhat';
  if (words.includes('alpine')) return 'alpine';
  return words.some((word) => word.includes('suse')) ? 'suse' : null;
};

/**
 * What is reachable on a host, which tools and permissions are there, and how to install what is missing.
 * Throws LookFailed when the host answers but cannot be read.
 */
export const examineHost = async (host: string, shell: HostShell): Promise<Diagnosis> => {
  // Process 1 is on every host, and the part of `identify` that is about the host does not depend on the process.
  const context = {
    target: { host, pid: 1, startTime: '0' },
    windowSeconds: 1,
    known: null,
    options: {},
    keepFolder: '/',
  };
  const step = { probe: identify, options: {}, always: true };
  const [evidence, release] = await Promise.all([
    collectStep(shell, step, context, evidenceIds(), false),
    shell.run({
      id: 'os-release',
      argv: ['cat', '/etc/os-release'],
      scripts: [],
      seconds: 5,
      bytes: 8192,
      endWith: 'TERM',
      ptraces: false,
      target: null,
    }),
  ]);
  const seen = observe(step, evidence, context);
  const data = seen.seen ? identify.data.safeParse(seen.data).data : undefined;
  if (data === undefined)
    throw new LookFailed(
      'host-garbage',
      `${host} could be reached, but not read (${seen.seen ? 'unknown answer' : seen.why}).`,
    );
  const osRelease = new TextDecoder().decode(release.stdout);
  const family = familyOf(osRelease);
  const { tools } = data.host;
  const missing = WANTED.filter(({ tool }) =>
    tool === 'python3' ? data.host.python === null : tools[tool] === undefined,
  ).map(({ tool, why, packages }) => ({ tool, why, package: packages[family ?? 'debian'] }));
  const names = [...new Set(missing.map((each) => each.package))];
  return {
    host,
    kernel: data.host.kernel,
    distribution: /^PRETTY_NAME="?(.*?)"?$/m.exec(osRelease)?.[1] ?? 'unknown',
    root: shell.root,
    runner: shell.installed ?? null,
    ptraceScope: data.host.ptraceScope,
    python: data.host.python,
    tools,
    missing,
    install:
      names.length === 0 || family === null
        ? null
        : `${shell.root ? '' : 'sudo '}${INSTALL[family]} ${names.join(' ')}`,
  };
};

const MAY: Readonly<Record<string, string>> = {
  slows: 'slow a process',
  stops: 'stop it for a moment',
  'writes-disk': 'write a core',
  'risks-death': 'risk its life',
};

const runnerLine = (runner: InstalledRunner | null): string => {
  if (runner === null) return 'runner: none is installed, so it is sent for each look';
  const may = runner.allows.flatMap((impact) => MAY[impact] ?? []);
  return `runner: installed, version ${runner.version}; looks may ${may.length === 0 ? 'do nothing to a process' : may.join(', ')}`;
};

/** The diagnosis for a terminal. */
export const doctorText = (found: Diagnosis): string => {
  const rights = found.root
    ? 'root: every process can be looked at'
    : `not root and no sudo -n: only own processes can be looked at${found.ptraceScope !== null && found.ptraceScope > 0 ? `, and ptrace_scope ${found.ptraceScope} forbids tracing them` : ''}`;
  const lines = [
    `${found.host}: reachable. ${found.distribution}, kernel ${found.kernel}`,
    `rights: ${rights}`,
    runnerLine(found.runner),
    `python for stacks: ${found.python ?? 'none'}`,
    ...Object.entries(found.tools).map(([tool, path]) => `  found    ${tool.padEnd(12)} ${path}`),
    ...found.missing.map((each) => `  missing  ${each.tool.padEnd(12)} ${each.why}`),
  ];
  if (found.install !== null) lines.push(`install what is missing: ${found.install}`);
  else if (found.missing.length > 0)
    lines.push(`install these with the host's package manager: ${found.missing.map((each) => each.package).join(' ')}`);
  if (!found.root)
    lines.push(
      "to look at other users' processes, log in as root, allow this account `sudo -n sh`, or install an account for looks alone (docs/hosts.md).",
    );
  return `${lines.join('\n')}\n`;
};
