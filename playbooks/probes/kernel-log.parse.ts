import type { Parsed } from '../model/index.ts';
import type { KernelEvent, KernelLogData } from './kernel-log.ts';

/** What the script says of the host's clock, to read times that are not absolute. */
interface Clock {
  /** Seconds since 1970 at boot; null when not known. */
  readonly bootedAt: number | null;
  /** `+0200`: the host's time zone now. */
  readonly zone: string;
  /** Seconds since 1970 when the log was read. */
  readonly now: number;
}

interface Entry {
  readonly time: number | null;
  readonly message: string;
  readonly at: number;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
/** Behind the time, journal and log files name host and program, and some repeat the seconds since boot. */
const ORIGIN = /^(?:\S+ kernel: )?(?:\[ *\d+\.\d+\] ?)?/;

const isoTime = (date: string, zone: string): number | null => {
  const offset = zone === 'Z' ? 'Z' : zone.replace(/^([+-]\d\d):?(\d\d)$/, '$1:$2');
  const time = Date.parse(`${date.replace(',', '.')}${offset}`) / 1000;
  return Number.isFinite(time) ? time : null;
};

/** `Jan  2 03:04:05` names no year: it is the last such day before the log was read. */
const syslogTime = (month: string, day: string, hours: string, clock: Clock): number | null => {
  const number = MONTHS.indexOf(month) + 1;
  const year = new Date(clock.now * 1000).getUTCFullYear();
  for (const candidate of [year + 1, year, year - 1]) {
    const date = `${candidate}-${String(number).padStart(2, '0')}-${day.padStart(2, '0')}T${hours}`;
    const time = isoTime(date, clock.zone);
    if (time !== null && time <= clock.now + 86_400) return time;
  }
  return null;
};

const entryOf = (line: string, at: number, clock: Clock): Entry => {
  const iso = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d{1,9})?)(Z|[+-]\d\d:?\d\d) /.exec(line);
  if (iso !== null) {
    const message = line.slice(iso[0].length).replace(ORIGIN, '');
    return { time: isoTime(iso[1] ?? '', iso[2] ?? 'Z'), message, at };
  }
  const syslog = /^(?:<\d+>)?([A-Z][a-z]{2}) {1,2}(\d{1,2}) (\d\d:\d\d:\d\d) /.exec(line);
  if (syslog !== null) {
    const [whole, month = '', day = '', hours = ''] = syslog;
    return { time: syslogTime(month, day, hours, clock), message: line.slice(whole.length).replace(ORIGIN, ''), at };
  }
  const sinceBoot = /^(?:<\d+>)?\[ *(\d{1,12}\.\d+)\] ?/.exec(line);
  if (sinceBoot === null) return { time: null, message: line, at };
  const time = clock.bootedAt === null ? null : clock.bootedAt + Number(sinceBoot[1]);
  return { time, message: line.slice(sinceBoot[0].length), at };
};

/** What lines before a kill say about it: some kernels put scope and control group there. */
class OomContext {
  #cgroups = new Map<number, string>();
  #scopes = new Map<number, 'host' | 'cgroup'>();
  #cgroup: string | null = null;
  #scope: 'host' | 'cgroup' | null = null;

  read(message: string): void {
    // mm/oom_kill.c dump_oom_summary(), since 5.0.
    const summary = /oom-kill:constraint=(\w+),.*?task_memcg=(.*),task=(.*),pid=(\d{1,9}),uid=\d+/.exec(message);
    if (summary !== null) {
      const pid = Number(summary[4]);
      this.#cgroups.set(pid, summary[2] ?? '');
      this.#scopes.set(pid, summary[1] === 'CONSTRAINT_MEMCG' ? 'cgroup' : 'host');
      return;
    }
    // mm/memcontrol.c mem_cgroup_print_oom_info(), before 5.0.
    const task = /Task in (\S+) killed as a result of limit of /.exec(message);
    if (task !== null) {
      this.#cgroup = task[1] ?? null;
      this.#scope = 'cgroup';
      return;
    }
    // `Kill process 12 (x) score 900 or sacrifice child`, before 5.0: the line of the kill itself follows.
    if (/out of memory: Kill process /i.test(message)) {
      const inGroup = /^Memory cgroup/.test(message);
      if (!inGroup) this.#cgroup = null;
      this.#scope = inGroup ? 'cgroup' : 'host';
    }
  }

  /** What is known of the kill of this process; forgets what was only about it. */
  take(pid: number, message: string): { cgroup: string | null; scope: 'host' | 'cgroup' } {
    const said = /^Memory cgroup out of memory/.test(message)
      ? 'cgroup'
      : /^Out of memory/.test(message)
        ? 'host'
        : null;
    const scope = said ?? this.#scopes.get(pid) ?? this.#scope ?? 'host';
    const cgroup = this.#cgroups.get(pid) ?? (scope === 'cgroup' ? this.#cgroup : null);
    this.#cgroups.delete(pid);
    this.#scopes.delete(pid);
    this.#cgroup = null;
    this.#scope = null;
    return { cgroup, scope };
  }
}

const oomKill = ({ message, time, at }: Entry, context: OomContext): KernelEvent | null => {
  // `Killed process 12 (x) total-vm:…`; Linux 2.6.32 to 3.x write `Killed process 12, UID 500, (x) total-vm:…`.
  const kill = /Killed process (\d{1,9}),? (?:UID \d+, )?\((.*)\),? .*?\banon-rss:(\d{1,15})kB/.exec(message);
  if (kill === null) return null;
  const pid = Number(kill[1]);
  const { cgroup, scope } = context.take(pid, message);
  return { kind: 'oom-kill', time, pid, comm: kill[2] ?? '', anonRssKib: Number(kill[3]), cgroup, scope, at };
};

const crash = ({ message, time, at }: Entry): KernelEvent | null => {
  const fault =
    /^(?:traps: )?(.*)\[(\d{1,9})\]:? ((?:segfault at|general protection|trap [a-z0-9 ]+ ip:|unhandled ).*)$/.exec(
      message,
    );
  if (fault === null) return null;
  return { kind: 'segfault', time, pid: Number(fault[2]), comm: fault[1] ?? '', detail: fault[3] ?? '', at };
};

const hungTask = ({ message, time, at }: Entry): KernelEvent | null => {
  const hung = /task (.*):(\d{1,9}) blocked(?: in I\/O wait)? for more than (\d{1,9}) seconds/.exec(message);
  if (hung === null) return null;
  return { kind: 'hung-task', time, pid: Number(hung[2]), comm: hung[1] ?? '', seconds: Number(hung[3]), at };
};

/** Reads what kernel-log.sh prints. `readAt`: milliseconds since 1970. Never throws. */
export const parseKernelLog = (text: string, readAt: number): Parsed<KernelLogData> => {
  const lines = text.split('\n');
  const header = (label: string) =>
    lines
      .slice(0, 6)
      .find((line) => line.startsWith(`${label}: `))
      ?.slice(label.length + 2);
  const refused = header('not readable');
  if (refused) return { ok: false, reason: 'no-permission', why: `not readable: ${refused}` };
  const source = header('source');
  if (source !== 'dmesg' && source !== 'journal' && source !== 'file')
    return { ok: false, reason: 'not-parsable', why: 'nothing says where the lines of the log come from' };
  const booted = header('booted at');
  const zone = header('zone') ?? '';
  const clock: Clock = {
    bootedAt: booted !== undefined && /^\d{1,12}$/.test(booted) ? Number(booted) : null,
    zone: /^[+-]\d{4}$/.test(zone) ? zone : '+0000',
    now: Number.isFinite(readAt) ? readAt / 1000 : 0,
  };
  const context = new OomContext();
  const events: KernelEvent[] = [];
  lines.forEach((line, index) => {
    // The kernel writes no line longer than 1 KiB; the cut keeps the time for reading any other output in bounds.
    const entry = entryOf(line.slice(0, 2048), index + 1, clock);
    context.read(entry.message);
    const event = oomKill(entry, context) ?? crash(entry) ?? hungTask(entry);
    if (event !== null) events.push(event);
  });
  const partly = lines.includes('end') ? [] : ['the kernel log breaks off'];
  return { ok: true, data: { source, events }, partly };
};
