import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { afterAll, afterEach, expect, test } from 'vitest';
import { hostLookup } from '../../../infra/hosts.ts';
import { Report } from '../../../playbooks/model/index.ts';
import { findProcesses } from '../../../workers/finding/find.ts';
import { loadKnowledge } from '../../../workers/knowledge.ts';
import { keepFolderOf, shellOpener } from '../../../workers/reach.ts';
import { readDiagnoseArguments } from '../../../workers/terminal/arguments.ts';
import { diagnoseOnTerminal } from '../../../workers/terminal/diagnose.ts';
import { APP, endContainers, type Inside, OWN_PYTHON, runtimes, startContainer } from '../../support/containers.ts';
import { debianPythons } from '../../support/every-interpreter.ts';
import { expectFinding } from '../../support/incident.ts';
import { endProcesses } from '../../support/live-process.ts';
import { withoutPython } from '../../support/shells.ts';
import { endSshd, testSshd } from '../../support/sshd.ts';
import { expectUnhurt, processState } from '../../support/unhurt.ts';

const [asTheyAre, v2, crun] = await runtimes();
const knowledge = await loadKnowledge();
const sshd = await testSshd();
const hosts = hostLookup([sshd.host('till-host')]);
const opener = shellOpener(hosts);

afterEach(async () => {
  await endContainers();
  await endProcesses();
});
afterAll(async () => {
  await opener.close();
  await endSshd();
});

/** `straceback diagnose till-host WORDS --json` over a real connection; holds that the process lives on as before. */
const diagnose = async (pid: number, words: string): Promise<Report> => {
  const before = await processState(pid);
  const [out, err]: [string[], string[]] = [[], []];
  await diagnoseOnTerminal(
    readDiagnoseArguments(`till-host ${words} --json`.split(' ')),
    { knowledge, openShell: opener.openShell, keepFolder: keepFolderOf(hosts) },
    {
      out: (text) => void out.push(text),
      err: (text) => void err.push(text),
      interactive: false,
      signal: new AbortController().signal,
    },
  );
  expect(out.join(''), err.join('')).not.toBe('');
  await expectUnhurt(pid, before);
  return Report.parse(JSON.parse(out.join('')));
};

const childOf = (pid: number): number =>
  Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ')[0]);

const statusOf = (pid: number, field: string): string =>
  new RegExp(`^${field}:\\t(.*)$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '';

test.skipIf(asTheyAre?.why !== null)(
  `a deadlock in a container of runc is found by the container's id (${asTheyAre?.why ?? 'runc'})`,
  async () => {
    if (asTheyAre === undefined) throw new Error('no runtime');
    const { id, live, pid, status } = await startContainer(asTheyAre, {
      args: [`${APP}/thread-deadlock/transfers.py`],
    });
    await live.line(/"stuck"/);
    const first = pid();
    expect([existsSync(APP), existsSync(OWN_PYTHON), statusOf(first, 'Seccomp')]).toEqual([false, false, '2']);
    const report = await diagnose(first, `container:${id.slice(0, 12)}`);
    const finding = expectFinding(report, 'thread-deadlock', 0.9);
    expect(finding.title).toContain(`${APP}/thread-deadlock/transfers.py:34`);
    expect(JSON.stringify(finding.source)).toContain('with self.accounts[target].lock');
    expect(report.target).toMatchObject({ pid: first, pidInside: 1, container: id });
    expect(report.target.runtime).toMatch(/^CPython 3\.\d+\.\d+$/);
    expect(report.caveats.join('\n')).toContain(`Process ${first} is 1 inside container ${id.slice(0, 12)}; its paths`);
    expect(status()).toBe('running');
  },
);

const FORKS = `
import os, sys
if os.fork() == 0:
    os.execv(sys.executable, [sys.executable, '-u', sys.argv[1]])
os.wait()
`;

test.skipIf(v2?.why !== null)(
  `a busy worker of a container with users of its own, on cgroups 2, is found by the pid that it has inside (${v2?.why ?? 'runc'})`,
  async () => {
    if (v2 === undefined) throw new Error('no runtime');
    const id = `till-${randomBytes(4).toString('hex')}`;
    const inside: Inside = { args: ['-c', FORKS, `${APP}/busy-loop/category_walk.py`], id, usersFrom: 200_000 };
    const { live, pid, status } = await startContainer(v2, inside);
    const number = Number((await live.line(/^standing \d+$/)).split(' ')[1]);
    const worker = childOf(pid());
    expect(number).toBeGreaterThan(1);
    expect(statusOf(worker, 'Uid').split('\t')[0]).toBe('201234');
    const report = await diagnose(worker, `container:${id}/${number}`);
    const finding = expectFinding(report, 'busy-loop', 0.8);
    expect(finding.title).toContain('path_to_root');
    expect(report.target).toMatchObject({ pid: worker, pidInside: number });
    expect(status()).toBe('running');
  },
);

test.skipIf(crun?.why !== null)(
  `a wait for an answer in the network of a container of crun is found by pid (${crun?.why ?? 'crun'})`,
  async () => {
    if (crun === undefined) throw new Error('no runtime');
    const { live, pid, status } = await startContainer(crun, { args: [`${APP}/blocked-on-network/price_fetcher.py`] });
    await live.line(/^standing \d+$/);
    const first = pid();
    const report = await diagnose(first, String(first));
    const finding = expectFinding(report, 'blocked-on-network', 0.75);
    expect(finding.title).toMatch(/price_of.*127\.0\.0\.1:\d+, without a timeout/);
    expect(finding.evidence.map(({ text }) => text).join('\n')).toMatch(/ESTAB/);
    expect(report.target.pidInside).toBe(1);
    expect(status()).toBe('running');
  },
);

const newer = debianPythons.filter(({ root }) => root.endsWith('/trixie'));
test.skipIf(asTheyAre?.why !== null || newer.length === 0).each(newer.length === 0 ? [null] : newer)(
  'a Python and a C library that the host has not are read in the container',
  async (debian) => {
    if (asTheyAre === undefined || debian === null) throw new Error('no runtime');
    const inside = { args: [`${APP}/thread-deadlock/transfers.py`], usr: `${debian.root}/usr` };
    const { id, live, pid, status } = await startContainer(asTheyAre, inside);
    await live.line(/"stuck"/);
    const first = pid();
    const report = await diagnose(first, `container:${id} --playbook bt --allow stops`);
    expectFinding(report, 'thread-deadlock', 0.9);
    expect(report.target.runtime).toContain(`CPython ${debian.version}.`);
    expect(report.evidence.find(({ probe }) => probe === 'native-stacks')).toMatchObject({ exit: 0 });
    expect(status()).toBe('running');
  },
);

test.skipIf(asTheyAre?.why !== null)('what entered a container later is found in it too', async () => {
  if (asTheyAre === undefined) throw new Error('no runtime');
  const id = `till-${randomBytes(4).toString('hex')}`;
  const { live, pid, enter } = await startContainer(asTheyAre, {
    args: ['-c', 'import signal; print("ready", flush=True); signal.pause()'],
    id,
  });
  await live.line(/^ready/);
  enter('/bin/sleep', '1000');
  const first = pid();
  for (const openShell of [opener.openShell, withoutPython]) {
    const found = await findProcesses('till-host', { kind: 'container', id }, { openShell });
    if (found.kind === 'failure') throw new Error(found.failure.sentence);
    const told = found.candidates.map(({ pid, command, container, pidInside }) => [
      pid === first,
      command,
      container,
      pidInside === 1,
    ]);
    expect(told).toHaveLength(2);
    expect(told).toContainEqual([true, expect.stringContaining(OWN_PYTHON), id, true]);
    expect(told).toContainEqual([false, '/bin/sleep 1000', id, false]);
  }
});
