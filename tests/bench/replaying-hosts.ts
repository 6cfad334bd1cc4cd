/**
 * Many SSH servers in one process that answer a look as one host once did, each after as long as it took there:
 * node replaying-hosts.js FOLDER COUNT. The folder has `answers.json`, `host-key` and `login.pub`. Prints the ports as one line of JSON, and
 * ends when its input does. So a worker can be measured without the work of hundreds of hosts on the same cores.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Server as NetServer } from 'node:net';
import path from 'node:path';
import ssh2, { type ServerChannel } from 'ssh2';
import { REPLAY_FOLDER, RecordedAnswer } from './recording.ts';

const { Server, utils } = ssh2;
const [folder = '.', count = '1'] = process.argv.slice(2);
const read = (name: string) => readFileSync(path.join(folder, name));
const answers = RecordedAnswer.array()
  .parse(JSON.parse(read('answers.json').toString()))
  .map((each) => ({
    ...each,
    body: Buffer.concat([Buffer.from(each.stdout, 'base64'), Buffer.from(each.stderr, 'base64')]),
    lengths: `${Buffer.from(each.stdout, 'base64').length} 0 ${Buffer.from(each.stderr, 'base64').length} 0`,
  }));
const login = utils.parseKey(read('login.pub'));
if (login instanceof Error) throw login;
const allowed = Buffer.from(login.getPublicSSH());
const MARK = /(?:^|\n)sb_run (\d+) /g;
const LONGEST_LINE = Math.max(...answers.map(({ line }) => line.length)) + 64;

/** Speaks as the runner does (workers/ssh/runner.sh). What was not recorded is answered as a command that is not there. */
const serve = (channel: ServerChannel): void => {
  let nonce = '';
  let heard = '';
  const answer = (step: string, line: string) => {
    const known = answers.find((each) => line.startsWith(each.line));
    const ms = known?.milliseconds ?? 1;
    setTimeout(() => {
      if (!channel.writable) return;
      channel.write(`\n${nonce} step ${step} exited ${known?.exit ?? 127} ${ms} ${known?.lengths ?? '0 0 0 0'}\n`);
      if (known !== undefined) channel.write(known.body);
    }, ms);
  };
  channel.on('data', (piece: Buffer) => {
    heard += piece.toString('utf8');
    if (nonce === '') {
      nonce = /N=([0-9a-f]{32}) [^\n]*\n/.exec(heard)?.[1] ?? '';
      if (nonce !== '') channel.write(`\n${nonce} ready 1 0 ${REPLAY_FOLDER}\n`);
    }
    let done = 0;
    for (const found of heard.matchAll(MARK)) {
      const from = found.index + found[0].length;
      const line = heard.slice(from, from + LONGEST_LINE);
      // A line may be of several, when a word in it is; the end of one that is not whole yet comes with the next piece.
      const whole =
        answers.some((each) => line.startsWith(each.line)) || line.length >= LONGEST_LINE || line.endsWith("'\n");
      if (!whole) break;
      answer(found[1] ?? '0', line);
      done = from;
    }
    const mark = heard.indexOf('\nsb_run ', done);
    heard = heard.slice(mark === -1 ? Math.max(done, heard.length - 32) : mark);
  });
  channel.on('end', () => {
    channel.exit(0);
    channel.end();
  });
  channel.on('error', () => {});
};

const portOf = (server: NetServer): number => {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  return address.port;
};

const servers = await Promise.all(
  Array.from({ length: Number(count) }, async () => {
    const server = new Server({ hostKeys: [read('host-key')] }, (client) => {
      client.on('authentication', (context) => {
        if (context.method === 'publickey' && context.key.data.equals(allowed)) context.accept();
        else context.reject(['publickey']);
      });
      client.on('session', (accept) => {
        accept().on('exec', (acceptExec) => serve(acceptExec()));
      });
      client.on('error', () => {});
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return server;
  }),
);
process.stdout.write(`${JSON.stringify(servers.map(portOf))}\n`);
process.stdin.resume();
await once(process.stdin, 'end');
process.exit(0);
