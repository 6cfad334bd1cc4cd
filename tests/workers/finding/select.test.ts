import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readSelector, type Selector, selectorText } from '../../../playbooks/model/index.ts';
import { foundIn } from '../../../workers/finding/find.ts';
import { globTest } from '../../../workers/finding/glob.ts';
import { type HostList, parseList } from '../../../workers/finding/list.parse.ts';

/** A process as the lister writes it. */
interface Told {
  readonly pid: number;
  readonly parent?: number;
  readonly start?: number;
  readonly name?: string;
  readonly words?: readonly string[];
  readonly cpu?: number;
  readonly pages?: number;
  readonly unit?: string;
  readonly port?: number;
}

const told = ({ pid, parent = 1, start = 1_000, name = 'python3', words = [name], ...more }: Told): string[] => {
  const { cpu = 0, pages = 1_000, unit, port } = more;
  return [
    `p ${pid} S ${parent} ${start} 0 0 ${pages} ${name}`,
    `u ${pid} 0`,
    `a ${pid} 0 ${words.join('\u0002')}`,
    `c ${pid} 0::/${unit ?? ''}`,
    `d ${pid} 4`,
    ...(port === undefined ? [] : [`l ${port} ${port}`, `f ${pid} ${port}`]),
    `t ${pid} ${start} ${cpu} 0`,
  ];
};

const listOf = (...all: Told[]): HostList => {
  const lines = [
    'list W',
    'boot 5000.00 100 4',
    'self 2',
    ...told({ pid: 1, parent: 0, name: 'systemd' }),
    ...all.flatMap(told),
    'window 1.0',
    'n 0 root',
    'end W',
  ];
  const list = parseList(new TextEncoder().encode(lines.join('\n')), 'W');
  if (list === null) throw new Error('not read');
  return list;
};

const find = (text: string | Selector, list: HostList) => {
  const selector = typeof text === 'string' ? readSelector(text) : text;
  if (typeof selector === 'string') throw new Error(selector);
  const found = foundIn('web-7', selector, list);
  if (found.kind === 'failure') throw new Error(found.failure.sentence);
  return { ...found, pids: found.candidates.map(({ pid }) => pid) };
};

const UNIT = 'system.slice/shop.service';
const SCOPE = `system.slice/docker-${'4f'.repeat(32)}.scope`;

const HOST = listOf(
  {
    pid: 10,
    name: 'nginx',
    words: ['nginx: master process /usr/sbin/nginx'],
    unit: 'system.slice/nginx.service',
    port: 80,
  },
  {
    pid: 11,
    parent: 10,
    name: 'nginx',
    words: ['nginx: worker process'],
    unit: 'system.slice/nginx.service',
    port: 80,
  },
  { pid: 20, name: 'sh', words: ['sh', '-c', 'python3 /srv/shop.py --port 8080'], unit: UNIT },
  { pid: 21, parent: 20, words: ['python3', '/srv/shop.py', '--port', '8080'], unit: UNIT, port: 8080 },
  { pid: 30, name: 'java', words: ['java', '-jar', '/opt/till.jar'], unit: SCOPE, cpu: 80, pages: 500_000 },
  { pid: 40, words: ['python3', '/srv/job.py'], unit: 'system.slice/system-job.slice/job@blue.service' },
  { pid: 41, words: ['python3', '/srv/job.py'], unit: 'system.slice/system-job.slice/job@red.service', cpu: 30 },
);

describe('selectors', () => {
  test.each([
    ['unit:shop', [21]],
    ['unit:shop.service', [21]],
    ['unit:nginx', [10, 11]],
    ['unit:job@red', [41]],
    ['unit:job', [41, 40]],
    ['unit:job@*', [41, 40]],
    ['unit:system-job.slice', [41, 40]],
    ['unit:hop', []],
    ['name:nginx', [10, 11]],
    ['name:shop', [21]],
    ['name:shop.py', [21]],
    ['name:till.jar', [30]],
    ['name:t?ll*', [30]],
    ['name:--port 8080', [21]],
    ['name:sh', [20]],
    ['name:*shop.py --port*', [21]],
    ['port:80', [10, 11]],
    ['port:8080', [21]],
    ['container:4f4f', [30]],
    ['container:4F4F', [30]],
    ['container:f4', []],
    ['top:cpu', [30, 41]],
    ['21', [21]],
    ['pid:22', []],
  ])('%s', (text, wanted) => {
    const found = find(text, HOST);
    if (text.startsWith('top:')) expect(found.pids.slice(0, 2)).toEqual(wanted);
    else expect(found.pids).toEqual(wanted);
    expect(found.pick?.pid).toBe(wanted.length === 1 || text.startsWith('top:') ? wanted[0] : undefined);
  });

  test('of several the likely one is the busiest that is no master', () => {
    expect(find('unit:nginx', HOST)).toMatchObject({ pick: null, likely: { pid: 11, role: 'worker' } });
    expect(find('unit:job', HOST)).toMatchObject({ pick: null, likely: { pid: 41 } });
    expect(find('unit:job', HOST).how).toContain('2 processes belong to the unit job; of these it does the most');
  });

  test('what is near to nothing', () => {
    expect(find('port:81', HOST).near).toBe('Listened on are the ports `80` and `8080`.');
    expect(find('unit:shpo', HOST).near).toBe('Did you mean `shop.service`?');
    expect(find('name:ngnix', HOST).near).toBe('Did you mean `nginx`?');
    expect(find('container:77', HOST).near).toBe('Containers with processes are `4f4f4f4f4f4f`.');
    const hidden = { ...HOST, otherPorts: [443] };
    expect(find('port:443', hidden).near).toContain('look as root');
  });
});

describe('a successor', () => {
  const wanted = {
    kind: 'successor' as const,
    pid: 21,
    startTime: '1000',
    command: 'python3 /srv/shop.py --port 8080',
    unit: 'shop.service',
    ports: [8080],
  };
  const shop = { words: ['python3', '/srv/shop.py', '--port', '8080'], start: 2_000 };
  test('is the process itself when it was not restarted', () => {
    expect(find(wanted, HOST)).toMatchObject({
      pick: { pid: 21 },
      how: 'It is the same process: it has not been restarted.',
    });
  });
  test('is another start under the same pid only by its ties', () => {
    const found = find(wanted, listOf({ pid: 21, ...shop, unit: UNIT }));
    expect(found.how).toBe('Process 21 has gone; this one is of the unit shop.service and has the same command line.');
    expect(find(wanted, listOf({ pid: 21, start: 3_000, words: ['vi'] })).pick).toBeNull();
  });
  test('is of the unit before it is on the port before it has the command line', () => {
    const other = { words: ['python3', '/srv/shop2.py'], start: 2_000 };
    const [unit, port] = [
      { pid: 50, ...other, unit: UNIT },
      { pid: 51, ...other, port: 8080 },
    ];
    expect(find(wanted, listOf({ pid: 52, ...shop }, unit, port)).pick?.pid).toBe(50);
    expect(find(wanted, listOf({ pid: 52, ...shop }, port)).pick?.pid).toBe(51);
    expect(find(wanted, listOf({ pid: 52, ...shop })).pick?.pid).toBe(52);
    expect(find(wanted, listOf({ pid: 52, ...shop }, { pid: 53, ...shop, port: 8080 })).pick?.pid).toBe(53);
  });
  test('is younger; an older one is only said to have been there before', () => {
    const [young, old] = [
      { pid: 52, ...shop },
      { pid: 53, ...shop, start: 900, cpu: 50 },
    ];
    expect(find(wanted, listOf(young, old)).pick?.pid).toBe(52);
    const found = find(wanted, listOf(old));
    expect(found.pick?.pid).toBe(53);
    expect(found.how).toContain('but it ran before already');
  });
  test('is found where the command line had a secret', () => {
    const secret = { ...wanted, command: 'python3 job.py --token [redacted-3] x', unit: undefined, ports: [] };
    const list = listOf({ pid: 60, start: 2_000, words: ['python3', 'job.py', '--token', 'abcdef99', 'x'] });
    expect(find(secret, list).pick?.pid).toBe(60);
  });
});

test('10,000 processes', () => {
  const many = Array.from({ length: 10_000 }, (_, index) => ({
    pid: index + 10,
    parent: index < 5_000 ? 1 : 10,
    words: ['python3', `/srv/job-${index}.py`, '*'.repeat(300)],
    cpu: index % 90,
  }));
  const list = listOf(...many);
  expect(find('name:job-777', list).pids).toEqual([787]);
  const all = find('name:python3', list);
  expect([all.total, all.candidates.length]).toEqual([10_000, 100]);
  expect(find('name:*a*b*c*d*e*f*g*h*i*j*k*', list).total).toBe(0);
  expect(find('top:cpu', list).pick?.cpuPercent).toBe(89);
});

test('globs', () => {
  const is = (pattern: string, text: string) => globTest(pattern)(text);
  expect([
    is('a*c', 'abc'),
    is('a?c', 'abc'),
    is('a?c', 'ac'),
    is('a.c', 'abc'),
    is('*', ''),
    is('a**?c', 'abbc'),
  ]).toEqual([true, true, false, false, true, true]);
  expect([is('a*b*c*d*', 'a1b2c3d'), is('a*b*c*d*', 'a1c2b3d'), is('*a*a*a*a', 'aaa')]).toEqual([true, false, false]);
});

test('no output breaks the reader, and any text is a selector or a sentence', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.string(), fc.constantFrom('p 1 S 1 1 1 1 1 x', 'a 1 0 x', 'f 1 2', 'l 2 80', 't 1 1'))),
      (lines) => {
        const list = parseList(new TextEncoder().encode(['list W', ...lines].join('\n')), 'W');
        if (list !== null) foundIn('web-7', { kind: 'name', pattern: 'x' }, list);
      },
    ),
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.string().map((text) => `name:${text}`),
      ),
      (text) => {
        const selector = readSelector(text);
        if (typeof selector === 'string') return selector.length > 10;
        return typeof readSelector(selectorText(selector)) !== 'string';
      },
    ),
  );
});

test.each([
  ['6325', { kind: 'pid', pid: 6325 }],
  ['port:8080', { kind: 'port', port: 8080 }],
  ['PORT:8080', { kind: 'port', port: 8080 }],
  ['unit:web@1.service', { kind: 'unit', name: 'web@1.service' }],
  ['name:celery*', { kind: 'name', pattern: 'celery*' }],
  ['name:a:b', { kind: 'name', pattern: 'a:b' }],
  ['top:CPU', { kind: 'top', by: 'cpu' }],
  ['port:0', 'after `port:` comes a number from 1 to 65535'],
  ['port:99999', 'after `port:` comes a number from 1 to 65535'],
  ['top:disk', 'after `top:` comes `cpu`, `rss` or `fds`'],
  ['0', 'a process id is a number from 1 to 4194304'],
  ['99999999999999999999', 'a process id is a number from 1 to 4194304'],
  ['unit:', 'after `unit:` comes a name: something has to follow the colon'],
  [
    'web',
    'a process is named by its process id or by unit:NAME, name:PATTERN, port:N, container:ID, pod:NAMESPACE/NAME, top:cpu|rss|fds',
  ],
])('%s is read', (text, wanted) => {
  expect(readSelector(text)).toEqual(wanted);
});
