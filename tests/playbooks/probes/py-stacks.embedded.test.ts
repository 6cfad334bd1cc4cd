import { spawnSync } from 'node:child_process';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { freePort } from '../../../infra/sandbox/sshd.ts';
import { endProcesses, startProcess } from '../../support/live-process.ts';
import { look, own, TARGETS } from '../../support/py-stacks.ts';

afterEach(endProcesses);

const servesPython = spawnSync('uwsgi', ['--plugins', 'python3', '--version'], { stdio: 'ignore' }).status === 0;

/** Starts uWSGI in one process, asks it as often, and waits until all requests are inside of the application. */
const serve = async (args: string[], asks: string[]) => {
  const port = await freePort();
  const live = await startProcess(
    'uwsgi',
    ['--plugins', 'python3', '--http-socket', `127.0.0.1:${port}`, '--disable-logging', '--need-app', ...args],
    { cwd: TARGETS, env: { ...process.env, REQUESTS: String(asks.length) } },
  );
  // It writes to its standard error, all but what the application says: ask until it listens.
  for (const ask of asks) {
    for (let open = false; !open; ) {
      const socket = connect(port, '127.0.0.1').on('error', () => {});
      open = await new Promise((resolve) =>
        socket.once('connect', () => resolve(true)).once('close', () => resolve(false)),
      );
      if (open) socket.write(`GET ${ask} HTTP/1.0\r\n\r\n`);
    }
  }
  await live.line(/^standing/);
  return live;
};

describe.skipIf(!servesPython)('the interpreter inside of uWSGI', () => {
  it('is read in all of its threads, whichever of their thread states the server uses', async () => {
    const live = await serve(['--threads', '3', '--module', 'served'], ['/', '/', '/']);
    const data = await look(live.pid);
    const inRequest = data.threads.filter((thread) => own(thread.stacks[0])[0] === 'answers');
    expect(inRequest).toHaveLength(3);
    expect(new Set(inRequest.map((thread) => thread.tid)).size).toBe(3);
    for (const thread of inRequest) expect(own(thread.stacks[0])).toEqual(['answers', 'application']);
    expect(data.threads.find((thread) => thread.name === 'ticker')?.stacks[0]?.frames[0]?.function).toBe('ticks');
    expect(data.threads.map((thread) => thread.unread)).toEqual(data.threads.map(() => 0));
  });

  it('is read in sub-interpreters too, one for each application', async () => {
    const mounts = ['first', 'second'].flatMap((name) => ['--mount', `/${name}=${TARGETS}/served.py`]);
    const live = await serve(['--enable-threads', '--manage-script-name', ...mounts], ['/second']);
    const data = await look(live.pid);
    expect(data.interpretersNotRead).toBe(0);
    // Each has imported the application, and has its ticking thread.
    expect(data.threads.filter((thread) => own(thread.stacks[0])[0] === 'ticks')).toHaveLength(2);
    expect(own(data.threads.find((thread) => thread.tid === live.pid)?.stacks[0])).toEqual(['answers', 'application']);
  });
});
