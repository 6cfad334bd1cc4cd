import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { readSelector, type Selector, selectorText } from '../../../playbooks/model/index.ts';
import { findProcesses, foundIn } from '../../../workers/finding/find.ts';
import { placeOf } from '../../../workers/finding/list.names.ts';
import { parseList } from '../../../workers/finding/list.parse.ts';
import { examine } from '../../support/incident.ts';
import { endProcesses } from '../../support/live-process.ts';
import { canChangeRoot, startInContainer } from '../../support/other-root.ts';
import { waysToAShell } from '../../support/shells.ts';
import { endSshd } from '../../support/sshd.ts';

const ID = '4f'.repeat(32);
const UID = '0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0';
const UNDERSCORED = UID.replaceAll('-', '_');

/** Control groups as the runtimes and the kubelet name them, of cgroups(7) 1 and 2. */
test.each([
  ['docker, systemd, v2', `0::/system.slice/docker-${ID}.scope`, ID, null],
  ['docker, cgroupfs, v1', `12:memory:/docker/${ID}\n1:name=systemd:/docker/${ID}`, ID, null],
  ['docker with an init inside, v2', `0::/system.slice/docker-${ID}.scope/init.scope`, ID, null],
  ['containerd by nerdctl', `0::/system.slice/nerdctl-${ID}.scope`, ID, null],
  ['podman as root', `0::/machine.slice/libpod-${ID}.scope/container`, ID, null],
  ['podman of a user', `0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-${ID}.scope`, ID, null],
  ['what keeps a container of podman', `0::/machine.slice/libpod-conmon-${ID}.scope`, null, null],
  [
    'kubelet with systemd and containerd',
    `0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${UNDERSCORED}.slice/cri-containerd-${ID}.scope`,
    ID,
    UID,
  ],
  ['kubelet with cgroupfs', `11:cpu,cpuacct:/kubepods/besteffort/pod${UID}/${ID}\n0::/`, ID, UID],
  [
    'containerd without its systemd driver',
    `0::/system.slice/containerd.service/kubepods-pod${UNDERSCORED}.slice:cri-containerd:${ID}`,
    ID,
    UID,
  ],
  ['CRI-O', `0::/kubepods.slice/kubepods-pod${UNDERSCORED}.slice/crio-${ID}.scope`, ID, UID],
  ['a static pod', `0::/kubepods/burstable/pod${'9a'.repeat(16)}/${ID}`, ID, '9a'.repeat(16)],
  ['no container', '0::/system.slice/ssh.service', null, null],
])('the control group of %s', (_, text, container, podUid) => {
  expect(placeOf(text)).toMatchObject({ container, podUid });
});

describe('selectors of containers and pods', () => {
  test.each([
    ['container:4f4f', { kind: 'container', id: '4f4f' }],
    ['container:web/7', { kind: 'container', id: 'web', pid: 7 }],
    ['pod:shop/web-0', { kind: 'pod', namespace: 'shop', name: 'web-0' }],
    ['pod:shop/web-0/app', { kind: 'pod', namespace: 'shop', name: 'web-0', container: 'app' }],
  ] as const)('%s is read and written', (text, selector) => {
    expect(readSelector(text)).toEqual(selector);
    expect(selectorText(selector)).toBe(text);
  });

  test.each(['pod:web-0', 'pod:shop/', 'pod:a/b/c/d', 'pod:/web', 'container:/7', 'container:web/99999999'])(
    '%s is none',
    (text) => {
      expect(typeof readSelector(text)).toBe('string');
    },
  );

  const one = (pid: number, name: string, group: string, inside?: number): string[] => [
    `p ${pid} S 1 1000 0 0 10 ${name}`,
    `u ${pid} 0`,
    `a ${pid} 0 ${name}`,
    `c ${pid} 0::/${group}`,
    ...(inside === undefined ? [] : [`i ${pid} ${inside}`]),
    `t ${pid} 1000 ${pid} 0`,
  ];
  const [app, side, sandbox, web] = ['a1', 'b2', 'c3', 'd4'].map((two) => two.repeat(32)) as [
    string,
    string,
    string,
    string,
  ];
  const inPod = (id: string): string => `kubepods/pod${UID}/${id}`;
  const lines = [
    ...['list W', 'boot 5000.00 100 4', 'self 2', 'p 1 S 0 1 0 0 10 systemd'],
    ...one(10, 'pause', inPod(sandbox), 1),
    ...one(11, 'python3', inPod(app), 1),
    ...one(12, 'python3', inPod(app), 7),
    ...one(13, 'envoy', inPod(side), 1),
    ...one(20, 'nginx', `docker/${web}`, 1),
    `g ${UID} shop web-0`,
    `h ${app} shop web-0 app`,
    `h ${side} shop web-0 proxy`,
    `k ${web} db`,
    ...['window 1.0', 'n 0 root', 'end W'],
  ];
  const list = parseList(new TextEncoder().encode(lines.join('\n')), 'W');
  const find = (text: string) => {
    const selector = readSelector(text);
    if (typeof selector === 'string' || list === null) throw new Error(text);
    const found = foundIn('node-1', selector, list);
    if (found.kind === 'failure') throw new Error(found.failure.sentence);
    return found;
  };

  test.each([
    ['pod:shop/web-0', [13, 12, 11]],
    ['pod:shop/web-0/app', [12, 11]],
    ['pod:sh*/web-*/proxy', [13]],
    ['pod:till/web-0', []],
    ['container:app/7', [12]],
    ['container:a1a1', [12, 11]],
    ['container:a1a1/1', [11]],
    ['container:c3', [10]],
    // `db` is the name of one and could be the beginning of an id.
    ['container:db', [20]],
    ['container:d4d4', [20]],
    ['container:pro*', [13]],
    ['container:db/9', []],
  ])('%s', (text, pids) => {
    expect(
      find(text)
        .candidates.map(({ pid }) => pid)
        .sort(),
    ).toEqual([...pids].sort());
  });

  test('say where a process is, and what is near', () => {
    expect(find('container:app/7').pick).toMatchObject({ pod: 'shop/web-0/app', pidInside: 7, container: app });
    expect(find('container:app/7').how).toBe('It is the only process that is 7 inside the container app.');
    expect(find('container:db').pick).toMatchObject({ containerName: 'db', pidInside: 1 });
    expect(find('pod:shop/wbe-0').near).toBe('Did you mean `shop/web-0`?');
    expect(find('container:db/9').near).toBe('Inside that container are the process ids `1`.');
  });
});

/** systemd's hierarchy and that of memory, or the only one. */
const HIERARCHIES = ['/sys/fs/cgroup/systemd', '/sys/fs/cgroup/memory', '/sys/fs/cgroup'].filter((folder) =>
  existsSync(path.join(folder, 'cgroup.procs')),
);
const undo: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  await endProcesses();
  for (let next = undo.pop(); next !== undefined; next = undo.pop()) await next();
});
afterAll(endSshd);

const removed = (folder: string): boolean => {
  try {
    rmdirSync(folder);
    return true;
  } catch {
    return !existsSync(folder);
  }
};

/** Makes a folder and those above it; what was made is removed again. */
const make = (folder: string): void => {
  if (existsSync(folder)) return;
  make(path.dirname(folder));
  mkdirSync(folder);
  undo.push(async () => void (await expect.poll(() => removed(folder), { timeout: 20_000 }).toBe(true)));
};

const SERVER = `
import os, time
def recompute_totals():
    total = 0
    while True:
        total += 1
if os.fork() == 0:
    recompute_totals()
print("ready", flush=True)
while True: time.sleep(60)
`;

describe.skipIf(!canChangeRoot())('a container of this machine', () => {
  const start = async () => {
    const { live, pid } = await startInContainer(SERVER);
    const id = randomBytes(32).toString('hex');
    const uid = [4, 2, 2, 2, 6].map((bytes) => randomBytes(bytes).toString('hex')).join('-');
    const [worker = ''] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ');
    try {
      for (const hierarchy of HIERARCHIES) {
        const group = path.join(hierarchy, `straceback-${id.slice(0, 8)}`, `pod${uid}`, id);
        make(group);
        for (const each of [String(pid), worker]) writeFileSync(path.join(group, 'cgroup.procs'), each);
      }
      return { live, pid, worker: Number(worker), id, uid };
    } catch {
      return null;
    }
  };

  test('is found by id, by name and by pod, and its processes by the pids that are seen inside', async (context) => {
    const made = await start();
    if (made === null) return context.skip();
    const { pid, worker, id, uid } = made;
    const pod = `web-${id.slice(0, 6)}`;
    make('/var/log/containers');
    make(`/var/log/pods/shop_${pod}_${uid}`);
    const log = `/var/log/containers/${pod}_shop_till-app-${id}.log`;
    writeFileSync(log, '');
    undo.push(() => rmSync(log));
    make(`/var/lib/docker/containers/${id}`);
    const config = `/var/lib/docker/containers/${id}/config.v2.json`;
    writeFileSync(config, JSON.stringify({ ID: id, State: { Running: true }, Name: `/${pod}-docker` }));
    undo.push(() => rmSync(config));

    const names = new Set(['local', 'busybox']);
    for (const [name, open] of waysToAShell.filter(([each]) => names.has(each))) {
      const find = (selector: Selector) => findProcesses('here', selector, { openShell: open });
      const all = await find({ kind: 'container', id: id.slice(0, 12) });
      if (all.kind === 'failure') throw new Error(all.failure.sentence);
      expect(
        all.candidates.map((each) => [each.pid, each.pidInside, each.role]),
        name,
      ).toEqual([
        [pid, 1, 'master'],
        [worker, expect.any(Number), 'worker'],
      ]);
      const inside = all.candidates[1]?.pidInside;
      expect(all.candidates[0]).toMatchObject({ containerName: `${pod}-docker`, pod: `shop/${pod}/till-app` });
      for (const selector of [
        { kind: 'container', id: `${pod}-docker`, pid: inside },
        { kind: 'container', id, pid: inside },
      ] as const) {
        expect(await find(selector)).toMatchObject({ pick: { pid: worker } });
      }
      const inPod = await find({ kind: 'pod', namespace: 'shop', name: pod, container: 'till-app' });
      expect(inPod).toMatchObject({ total: 2, likely: { pid: worker } });
    }
  });

  test("is looked at with the host's tools, and the report says who the process is inside", async (context) => {
    const made = await start();
    if (made === null) return context.skip();
    const report = await examine(made.worker, { windowSeconds: 3 });
    // Its stacks were read, whatever the rules make of a program that counts.
    expect(report.target.runtime).toMatch(/^CPython 3/);
    expect(JSON.stringify(report.findings)).toContain('recompute_totals');
    const inside = report.target.pidInside ?? 0;
    expect(inside).toBeGreaterThan(1);
    expect(report.caveats.join('\n')).toContain(
      `Process ${made.worker} is ${inside} inside container ${made.id.slice(0, 12)}; its paths`,
    );
  });
});
