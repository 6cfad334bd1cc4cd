import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type LocalSlack, startLocalSlack } from '../../../../infra/sandbox/slack/server.ts';
import { webClient } from './support.ts';

let slack: LocalSlack;
let socket: Socket | undefined;

beforeEach(async () => {
  slack = await startLocalSlack({ ackTimeoutMs: 30_000 });
});

afterEach(async () => {
  socket?.destroy();
  await slack.close();
});

/** One masked frame of a client. */
function frame(first: number, payload: Buffer): Buffer {
  const mask = Buffer.from([1, 2, 3, 4]);
  const masked = Buffer.from(payload.map((byte, index) => byte ^ (mask[index % 4] ?? 0)));
  const header = Buffer.alloc(payload.length < 126 ? 2 : 4);
  header[0] = first;
  header[1] = 0x80 | Math.min(payload.length, 126);
  if (payload.length >= 126) header.writeUInt16BE(payload.length, 2);
  return Buffer.concat([header, mask, masked]);
}

/** Shakes hands by hand and waits for the greeting. */
async function open(headers = 'Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n'): Promise<Socket> {
  const { url } = await webClient(slack, slack.appToken).apps.connections.open({});
  const { port, pathname, search } = new URL(String(url));
  socket = connect(Number(port), '127.0.0.1');
  const key = 'dGhlIHNhbXBsZSBub25jZQ==';
  socket.write(
    `GET ${pathname}${search} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ${key}\r\n${headers}\r\n`,
  );
  return socket;
}

async function bytesUntil(from: Socket, wanted: string | Buffer): Promise<Buffer> {
  let all = Buffer.alloc(0);
  for await (const [chunk] of on(from)) {
    all = Buffer.concat([all, chunk]);
    if (all.includes(wanted)) return all;
  }
  return all;
}

async function* on(from: Socket): AsyncGenerator<[Buffer]> {
  while (!from.destroyed) {
    const [chunk] = (await Promise.race([once(from, 'data'), once(from, 'close').then(() => [undefined])])) as [
      Buffer | undefined,
    ];
    if (chunk === undefined) return;
    yield [chunk];
  }
}

describe('the WebSocket server', () => {
  it('answers the handshake of the specification, and greets', async () => {
    const hello = (await bytesUntil(await open(), '"type":"hello"')).toString('latin1');
    expect(hello).toContain('101 Switching Protocols');
    expect(hello).toContain('Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
  });

  it('refuses a used or invented ticket and a request that is no handshake', async () => {
    const { url } = await webClient(slack, slack.appToken).apps.connections.open({});
    const invented = String(url).replace(/ticket=[^&]+/, 'ticket=invented');
    const status = (address: string) =>
      new Promise<string>((resolve) => {
        const { port, pathname, search } = new URL(address);
        const raw = connect(Number(port), '127.0.0.1');
        raw.write(`GET ${pathname}${search} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`);
        raw.once('data', (data) => {
          resolve(data.toString().split('\r\n')[0] ?? '');
          raw.destroy();
        });
      });
    expect(await status(invented)).toContain('403');
    expect(await status(String(url))).toContain('400');
    expect(await status(String(url))).toContain('403');
    expect(slack.sockets.open).toBe(0);
  });

  it('answers a ping, and reads a message in fragments and in single bytes', async () => {
    const raw = await open();
    await bytesUntil(raw, 'hello');
    raw.write(frame(0x89, Buffer.from('are you there')));
    await bytesUntil(raw, Buffer.concat([Buffer.from([0x8a, 13]), Buffer.from('are you there')]));
    const asked = slack.user('bob').slash('/diagnose', '', 'ops');
    const envelope = (await bytesUntil(raw, 'slash_commands')).toString();
    const id = /"envelope_id":"([^"]+)"/.exec(envelope)?.[1];
    const text = Buffer.from(JSON.stringify({ envelope_id: id, payload: { text: 'ß' } }));
    const whole = Buffer.concat([frame(0x01, text.subarray(0, 20)), frame(0x80, text.subarray(20))]);
    for (const byte of whole) raw.write(Buffer.from([byte]));
    expect((await asked).ack).toEqual({ acked: true, payload: { text: 'ß' } });
  });

  it.each([
    ['an unmasked frame', Buffer.from([0x81, 1, 120]), 1002],
    ['a reserved bit', frame(0xc1, Buffer.from('x')), 1002],
    ['an unknown opcode', frame(0x83, Buffer.from('x')), 1002],
    ['a continuation of nothing', frame(0x80, Buffer.from('x')), 1002],
    ['a binary message', frame(0x82, Buffer.from('x')), 1003],
    ['a text that is not UTF-8', frame(0x81, Buffer.from([0xff, 0xfe])), 1007],
    ['an enormous length', Buffer.from([0x81, 0xff, 0, 0, 1, 0, 0, 0, 0, 0]), 1009],
  ])('closes with the right code on %s', async (_name, bytes, code) => {
    const raw = await open();
    await bytesUntil(raw, 'hello');
    raw.write(bytes);
    const closing = await bytesUntil(raw, Buffer.from([0x88]));
    expect(closing.readUInt16BE(closing.indexOf(0x88) + 2)).toBe(code);
    await slack.waitFor(() => slack.sockets.open === 0);
  });

  it('ignores what is not an acknowledgement', async () => {
    const raw = await open();
    await bytesUntil(raw, 'hello');
    raw.write(frame(0x81, Buffer.from('no JSON')));
    raw.write(frame(0x81, Buffer.from('{"envelope_id":5}')));
    raw.write(frame(0x81, Buffer.from('{"envelope_id":"unknown"}')));
    raw.write(frame(0x89, Buffer.from('still open')));
    await bytesUntil(raw, 'still open');
    expect(slack.sockets.open).toBe(1);
  });
});
