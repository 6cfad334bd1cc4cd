/**
 * `npm run faults -- [--looks N] [--seed N] [--hosts N] [--keep]`: real bots, workers, hosts, Redis, PostgreSQL and a local Slack are
 * asked for many looks while parts of them are killed, cut, filled and slowed. Prints a table (docs/faults.md) and ends with 1 when
 * something did not hold. With `--keep` the logs of bots and workers stay.
 */
import { cpSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { runFaults } from './drive.ts';
import { canMakeHosts } from './hosts.ts';
import { startParts } from './parts.ts';
import { failed, tableOf } from './table.ts';

const { values } = parseArgs({
  options: {
    looks: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '20261122' },
    hosts: { type: 'string', default: '3' },
    bots: { type: 'string', default: '2' },
    workers: { type: 'string', default: '3' },
    keep: { type: 'string' },
  },
});

const numberOf = (name: 'looks' | 'seed' | 'hosts' | 'bots' | 'workers'): number => {
  const number = Number(values[name]);
  if (Number.isSafeInteger(number) && number >= 1) return number;
  process.stderr.write(`--${name} wants a whole number from 1.\n`);
  process.exit(2);
};

const [looks, seed] = [numberOf('looks'), numberOf('seed')];
const sizes = { hosts: numberOf('hosts'), bots: numberOf('bots'), workers: numberOf('workers'), targets: 4 };
if (!canMakeHosts()) {
  process.stderr.write('The fault run makes hosts in mount namespaces, which needs root.\n');
  process.exit(2);
}
const say = (line: string): void => void process.stderr.write(`faults: ${line}\n`);
say(`seed ${seed}; starting ${sizes.hosts} hosts, ${sizes.bots} bots, ${sizes.workers} workers`);
const parts = await startParts(sizes);
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void parts.close().finally(() => process.exit(130)));
}
try {
  const ran = await runFaults(parts, { seed, looks, say });
  process.stdout.write(tableOf(ran));
  process.exitCode = failed(ran) ? 1 : 0;
} finally {
  if (values.keep !== undefined)
    cpSync(parts.folder, values.keep, { recursive: true, filter: (file) => !/\/(redis|data-|web-)/.test(file) });
  await parts.close();
}
