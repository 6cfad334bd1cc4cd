import { describe, expect, test } from 'vitest';
import { readSelector } from '../../../playbooks/model/index.ts';
import { keptBy, shortId } from '../../../playbooks/reading/container-keeper.ts';
import { foundIn } from '../../../workers/finding/find.ts';
import { parseList } from '../../../workers/finding/list.parse.ts';

const ID = '4f'.repeat(32);
const OTHER = 'b2'.repeat(32);

describe('what keeps a container', () => {
  test.each([
    [
      `/usr/bin/conmon --api-version 1 -c ${ID} -u ${ID} -r /usr/bin/crun -b /x -p /y -n till-app --exit-dir /e`,
      { container: ID, name: 'till-app' },
    ],
    [`conmon --cid ${ID} --name till`, { container: ID, name: 'till' }],
    [`/usr/bin/conmon -b /x -c ${ID}`, { container: ID, name: null }],
    [
      '/usr/bin/containerd-shim-runc-v2 -namespace default -id till-box -address /run/containerd/containerd.sock',
      { container: 'till-box', name: null },
    ],
    ['/usr/bin/conmon -c', null],
    ['/usr/bin/conmon -c ../../x -n till', null],
    [`/usr/bin/conmon -c ${'a'.repeat(300)}`, null],
    ['/usr/bin/containerd --id x', null],
    [`python3 conmon -c ${ID}`, null],
    ['', null],
  ])('%s', (line, kept) => {
    expect(keptBy(line.split(' '))).toEqual(kept);
  });

  test('an id is shortened, a name is not', () => {
    expect(shortId(ID)).toBe(ID.slice(0, 12));
    expect(shortId('till-box-of-the-north')).toBe('till-box-of-the-north');
  });
});

interface Told {
  readonly pid: number;
  readonly parent: number;
  readonly words: string;
  readonly group?: string;
  readonly inside?: number;
}

const listOf = (told: readonly Told[], more: readonly string[] = []) => {
  const lines = told.flatMap(({ pid, parent, words, group = '/', inside }) => [
    `p ${pid} S ${parent} 1000 0 0 10 name`,
    `u ${pid} 0`,
    `a ${pid} 0 ${words.replaceAll(' ', '\u0002')}`,
    `c ${pid} 0::${group}`,
    ...(inside === undefined ? [] : [`i ${pid} ${inside}`]),
    `t ${pid} 1000 0 0`,
  ]);
  const text = ['list W', 'boot 5000.00 100 4', 'self 2', 'p 1 S 0 1 0 0 10 systemd', ...lines, ...more];
  return parseList(new TextEncoder().encode([...text, 'window 1.0', 'n 0 root', 'end W'].join('\n')), 'W');
};

const pidsOf = (list: ReturnType<typeof listOf>, text: string): number[] => {
  const selector = readSelector(text);
  if (typeof selector === 'string' || list === null) throw new Error(text);
  const found = foundIn('node-1', selector, list);
  if (found.kind === 'failure') throw new Error(found.failure.sentence);
  return found.candidates.map(({ pid }) => pid).sort((a, b) => a - b);
};

describe('containers without a control group of their own', () => {
  const session = '/user.slice/user-1000.slice/session-3.scope';
  const list = listOf([
    { pid: 10, parent: 1, words: `/usr/bin/conmon -c ${ID} -n till`, group: session },
    { pid: 11, parent: 10, words: 'python3 app.py', group: session, inside: 1 },
    { pid: 12, parent: 11, words: 'python3 worker.py', group: session, inside: 7 },
    // Of the same login, and in no container.
    { pid: 13, parent: 1, words: 'vim notes', group: session },
    // Started in the container later, by `podman exec`: it has a keeper of its own.
    { pid: 14, parent: 1, words: `/usr/bin/conmon -c ${ID} -u ${OTHER} -n till -e`, group: session },
    { pid: 15, parent: 14, words: 'python3 shell.py', group: session, inside: 9 },
  ]);

  test('are known by who keeps them', () => {
    expect(pidsOf(list, 'container:till')).toEqual([11, 12, 15]);
    expect(pidsOf(list, `container:${ID.slice(0, 12)}`)).toEqual([11, 12, 15]);
    expect(pidsOf(list, 'container:till/7')).toEqual([12]);
  });

  test('of which two share one control group are told apart, and the rest of the group is of neither', () => {
    const two = listOf([
      { pid: 10, parent: 1, words: `conmon -c ${ID} -n till`, group: session },
      { pid: 11, parent: 10, words: 'python3 app.py', group: session, inside: 1 },
      { pid: 20, parent: 1, words: `conmon -c ${OTHER} -n shop`, group: session },
      { pid: 21, parent: 20, words: 'python3 app.py', group: session, inside: 1 },
      { pid: 30, parent: 1, words: 'python3 entered.py', group: session, inside: 5 },
    ]);
    expect(pidsOf(two, 'container:till')).toEqual([11]);
    expect(pidsOf(two, 'container:shop')).toEqual([21]);
  });
});

describe('containers that runc or crun keep by themselves', () => {
  const told: Told[] = [
    { pid: 11, parent: 1, words: 'python3 app.py', group: '/till', inside: 1 },
    { pid: 12, parent: 11, words: 'python3 worker.py', group: '/till/deep', inside: 4 },
    { pid: 13, parent: 1, words: 'sh', group: '/till', inside: 9 },
    { pid: 14, parent: 1, words: 'sh', group: '/till' },
  ];

  test('have all that their first process began, and what entered its control group and its pid namespace', () => {
    expect(pidsOf(listOf(told, ['o 11 1000 till']), 'container:till')).toEqual([11, 12, 13]);
  });

  test('whose first process has ended are not taken for what has its pid by now', () => {
    expect(pidsOf(listOf(told, ['o 11 999 till']), 'container:till')).toEqual([]);
  });
});

test('a control group has the first word, and a keeper names no other container than its own', () => {
  const list = listOf([
    { pid: 10, parent: 1, words: `conmon -c ${OTHER} -n db` },
    { pid: 11, parent: 10, words: 'python3 app.py', group: `/libpod_parent/libpod-${ID}`, inside: 1 },
    { pid: 21, parent: 1, words: 'python3 app.py', group: `/libpod_parent/libpod-${OTHER}`, inside: 1 },
  ]);
  expect(pidsOf(list, 'container:db')).toEqual([]);
  expect(pidsOf(list, `container:${ID}`)).toEqual([11]);
  expect(pidsOf(list, `container:${OTHER}`)).toEqual([21]);
});

test('processes that claim each other as parents end', () => {
  const list = listOf([
    { pid: 10, parent: 11, words: 'a', inside: 2 },
    { pid: 11, parent: 10, words: 'b', inside: 3 },
    { pid: 12, parent: 1, words: `conmon -c ${ID}` },
  ]);
  expect(pidsOf(list, `container:${ID}`)).toEqual([]);
});
