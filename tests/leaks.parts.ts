import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import pg from 'pg';
import { onTestFinished } from 'vitest';
import type { LocalSlack } from '../infra/sandbox/slack/server.ts';

/** Where each secret is planted. They are of the kinds that people really leave there. */
export const PLANTED = {
  environment: 'env-Zq7Lw2Kx9Vb4',
  argument: 'argv-Hh3Tn8Rc5Yd1',
  'address in an argument': 'argvurl-Pk6Mm2Gf7Js',
  'header that is sent': 'sent-Ab4Cx9Wq3Et8Uy',
  'JSON that is sent': 'json-Vv5Nn1Lo0Xz7',
  'AWS key that is sent': 'AKIAQ7MZ4WX2N5TR6JKB',
  'line of the log': 'logged-Bb8Dd4Ss6Aa2',
  'address in the log': 'logurl-Tt9Ff3Gg1Hh5',
  'line of source': 'source-Kk2Pp7Oo4Ii6',
  'local variable': 'local-Mm1Jj8Uu3Yy9',
  'label of an alert': 'label-Ww5Ee0Rr2Tt7',
  'annotation of an alert': 'note-Cc6Xx3Zz9Qq1',
  'address of an alert': 'alerturl-Nn4Bb7Vv2Ll',
} as const;

/** A service that spins in one thread, and in another sends requests that it also logs. */
export const SERVICE = `
import logging, os, socket, sys, threading
logging.basicConfig(filename=sys.argv[1], level=logging.INFO)
def settle(orders, password='${PLANTED['local variable']}'):
    api_key = '${PLANTED['line of source']}'
    done = 0
    while orders:
        done = done + 1
        done = done - 1
def report(server, wait):
    client = socket.create_connection(server.getsockname())
    other = server.accept()[0]
    while True:
        client.sendall(b'POST /charge HTTP/1.1\\r\\nAuthorization: Bearer ${PLANTED['header that is sent']}\\r\\n\\r\\n')
        client.sendall(b'{"amount": 3, "password": "${PLANTED['JSON that is sent']}"} key=${PLANTED['AWS key that is sent']}')
        other.recv(1000)
        logging.error('payment refused, api_key=${PLANTED['line of the log']} at https://u:${PLANTED['address in the log']}@pay.example.com/')
        wait.wait(0.05)
threading.Thread(target=report, args=(socket.create_server(('127.0.0.1', 0)), threading.Event()), daemon=True).start()
threading.Thread(target=settle, args=([1],), name='settle', daemon=True).start()
print('ready', flush=True)
sys.stdin.read()
`;

/** Collects all that is sent to it as text. */
export const collectorForTest = async (): Promise<{ url: string; bodies: string[] }> => {
  const bodies: string[] = [];
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      bodies.push(Buffer.concat(pieces).toString('utf8'));
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, bodies };
};

/** All bytes of the files in a folder. */
export const bytesIn = (folder: string): string =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(path.join(entry.parentPath, entry.name), 'latin1'))
    .join('\n');

/** All that is in a database, compressed bytes as what they are. */
export const databaseText = async (url: string): Promise<string> => {
  const client = new pg.Client(url);
  await client.connect();
  const tables = await client.query<{ name: string }>(
    "select quote_ident(schemaname) || '.' || quote_ident(tablename) as name from pg_tables where schemaname not in ('pg_catalog', 'information_schema')",
  );
  const texts: string[] = [];
  for (const { name } of tables.rows) {
    for (const row of (await client.query<Record<string, unknown>>(`select * from ${name}`)).rows) {
      for (const value of Object.values(row)) {
        texts.push(Buffer.isBuffer(value) ? gunzipSync(value).toString('utf8') : JSON.stringify(value));
      }
    }
  }
  await client.end();
  return texts.join('\n');
};

/** All that people see in a Slack. */
export const slackText = (slack: LocalSlack): string =>
  slack.world.channels.map(({ name }) => JSON.stringify(slack.messages(name))).join('\n') +
  slack.world.users.map(({ name }) => JSON.stringify([slack.ephemerals(name), slack.home(name)])).join('\n');
