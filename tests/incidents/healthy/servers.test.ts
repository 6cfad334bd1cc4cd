import { spawnSync } from 'node:child_process';
import { describe, it } from 'vitest';
import { canRun, examine, expectHealthy, startStanding } from '../../support/incident.ts';

const here = (program: string) => `healthy/${program}.py`;

/** A server whose load fills a processor may get a hint besides; that health cannot be shown then is an answer too. */
const holdHealthy = async (pid: number): Promise<void> => expectHealthy(await examine(pid));

describe.skipIf(!canRun('/usr/bin/gunicorn'))('a gunicorn', () => {
  it.each(['gunicorn', 'gthread', 'gevent'])('%s under load is given no fault, worker and master', async (kind) => {
    const { live, pid } = await startStanding(here('web_server'), { args: [kind] });
    await holdHealthy(pid);
    const [master] = /\d+/.exec(await live.line(/^master \d+$/)) ?? [];
    await holdHealthy(Number(master));
  });
});

describe.skipIf(!canRun('/usr/bin/uwsgi'))('a uWSGI', () => {
  it.each(['uwsgi', 'uwsgi-threads'])('%s under load is given no fault', async (kind) => {
    const { pid } = await startStanding(here('web_server'), { args: [kind] });
    await holdHealthy(pid);
  });

  it('with a thunder lock that nobody asks is given no fault', async () => {
    const { pid } = await startStanding(here('web_server'), { args: ['uwsgi-threads', 'idle'] });
    await holdHealthy(pid);
  });
});

describe('a server', () => {
  it('with two thousand connections in one loop is given no fault', async () => {
    await holdHealthy((await startStanding(here('many_connections'))).pid);
  });

  it('with a large cache that is full, and a lock that is taken often, is given no fault', async () => {
    await holdHealthy((await startStanding(here('steady_cache'))).pid);
  });
});

/** Whether the system's Python has a module. */
const hasModule = (name: string): boolean =>
  spawnSync('/usr/bin/python3', ['-c', `import ${name}`], { stdio: 'ignore' }).status === 0;

describe.each(['gevent', 'eventlet'])('a server of green threads by %s', (kind) => {
  it.skipIf(!hasModule(kind))('is given no fault', async () => {
    await holdHealthy((await startStanding(here('green_server'), { args: [kind] })).pid);
  });
});

describe.skipIf(!hasModule('celery'))('a Celery worker', () => {
  it('that waits for tasks is given no fault', async () => {
    await holdHealthy((await startStanding(here('task_worker'))).pid);
  });
});
