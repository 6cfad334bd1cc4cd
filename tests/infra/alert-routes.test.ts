import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { BadConfig, readConfig } from '../../infra/config.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'alert-routes-'));
});
afterAll(() => rm(folder, { recursive: true }));

const HOST = 'hosts:\n  - {name: web-7, user: op, agent: /run/agent, knownHostsFile: /etc/known}\n';
const config = async (alerts: string) => {
  const file = path.join(folder, 'straceback.yaml');
  await writeFile(file, `${HOST}alerts:\n${alerts}`);
  return readConfig(file, { HOME: '/home/op', USER: 'op' });
};
const route = (more: string) => `  routes:\n    - {name: r, channel: C0OPS0001, ${more}}\n`;

it('says nothing about alerts when nothing is configured', async () => {
  const { alerts } = await config('  routes: []\n');
  expect(alerts).toMatchObject({ routes: [], limits: { looks: 10, looksPerHost: 2 } });
  expect(alerts.inventory).toEqual({});
});

it('keeps file and line of each route', async () => {
  const { alerts } = await config(route('match: {a: b}'));
  expect(alerts.routes).toMatchObject([{ name: 'r', at: path.join(folder, 'straceback.yaml:5'), match: { a: ['b'] } }]);
});

it.each([
  [
    'a channel by its name',
    '  routes:\n    - {name: r, channel: "#ops"}\n',
    /yaml:5: alerts\.routes\.0\.channel: is no channel id/,
  ],
  ['a host that the site does not know', route('host: web-8, selector: "1"'), /yaml:5: .*no host is called web-8/],
  [
    'an inventory with such a host',
    '  inventory:\n    "a:*": web-7\n    b: web-9\n',
    /yaml:6: alerts\.inventory\.b: no host is called web-9/,
  ],
  ['a host without a process', route('host: web-7'), /yaml:5: alerts\.routes\.0\.host: selector is missing/],
  [
    'a process without a host',
    route('selector: "top:cpu"'),
    /yaml:5: alerts\.routes\.0\.selector: host or hostFrom is missing/,
  ],
  ['two ways to a host', route('host: web-7, hostFrom: a, selector: "1"'), /give host or hostFrom, not both/],
  ['a selector that is none', route('host: web-7, selector: "thing:x"'), /is no selector/],
  ['a label where none can stand', route('host: web-7, selector: "top:{x}"'), /is no selector: after `top:`/],
  ['a label with a wrong name', route('host: web-7, selector: "unit:{a b}"'), /\{a b\} is no name of a label/],
  ['a mention of everybody', route('mention: ["here"]'), /is no id of a person/],
  ['a severity that there is not', route('severity: bad'), /yaml:5: alerts\.routes\.0\.severity/],
  ['a word that it does not know', route('colour: red'), /yaml:\d+: alerts\.routes\.0\.colour/],
  [
    'two routes of one name',
    '  routes:\n    - {name: r, channel: C0OPS0001, source: x}\n    - {name: r, channel: C0OPS0001}\n',
    /yaml:6: alerts\.routes\.1\.name: there is a route called r above/,
  ],
  [
    'a route that is never reached',
    '  routes:\n    - {name: all, channel: C0OPS0001}\n    - {name: web, channel: C0OPS0001, source: x}\n',
    /yaml:6: .*is never reached: the route all above takes every alert/,
  ],
  ['a limit of nothing', '  limits: {looks: 0}\n', /yaml:4: alerts\.limits\.looks/],
])('refuses %s, with file and line', async (_name, alerts, fault) => {
  await expect(config(alerts)).rejects.toThrow(BadConfig);
  await expect(config(alerts)).rejects.toThrow(fault);
});
