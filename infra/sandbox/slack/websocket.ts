import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

/** The server's end of one WebSocket. */
export interface WebSocketConnection {
  sendText(text: string): void;
  ping(): void;
  /** Starts the closing handshake; the TCP connection ends when the peer answers. */
  close(code: number, reason: string): void;
  /** Says goodbye and ends the connection without waiting long for the peer. */
  end(): void;
  /** Cuts the TCP connection without a word, as a lost network does. */
  destroy(): void;
  readonly open: boolean;
}

export interface WebSocketHandlers {
  text(text: string): void;
  closed(): void;
}

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const END_GRACE_MS = 200;
const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;
const [OP_CONTINUATION, OP_TEXT, OP_BINARY, OP_CLOSE, OP_PING, OP_PONG] = [0, 1, 2, 8, 9, 10];
const KNOWN_OPCODES: ReadonlySet<number> = new Set([0, 1, 2, 8, 9, 10]);

interface Frame {
  fin: boolean;
  opcode: number;
  payload: Buffer;
}

class ProtocolError extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * Answers an HTTP upgrade request and speaks RFC 6455 on its connection: text messages, fragments, ping, pong, close; no
 * extensions. Returns undefined, after answering 400, when the request is not a valid handshake.
 */
export function acceptWebSocket(
  request: IncomingMessage,
  stream: Duplex,
  head: Buffer,
  handlers: WebSocketHandlers,
): WebSocketConnection | undefined {
  const key = request.headers['sec-websocket-key'];
  const wantsWebSocket = request.headers.upgrade?.toLowerCase() === 'websocket';
  if (!wantsWebSocket || key === undefined || request.headers['sec-websocket-version'] !== '13') {
    stream.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    return undefined;
  }
  const accept = createHash('sha1').update(`${key}${GUID}`).digest('base64');
  stream.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  return speak(stream, head, handlers);
}

function speak(stream: Duplex, head: Buffer, handlers: WebSocketHandlers): WebSocketConnection {
  let state: 'open' | 'closing' | 'closed' = 'open';
  let pending: Buffer = head;
  let fragments: Buffer[] | undefined;

  const send = (opcode: number, payload: Buffer): void => {
    if (!stream.writableEnded && !stream.destroyed) stream.write(encodeFrame(opcode, payload));
  };
  const finish = (): void => {
    if (state === 'closed') return;
    state = 'closed';
    handlers.closed();
  };
  const onClose = (payload: Buffer): void => {
    if (state === 'open') send(OP_CLOSE, payload.subarray(0, 2));
    stream.end();
    finish();
  };
  const onFrame = (frame: Frame): void => {
    if (frame.opcode === OP_CLOSE) onClose(frame.payload);
    else if (frame.opcode === OP_PING) send(OP_PONG, frame.payload);
    else if (frame.opcode !== OP_PONG) onDataFrame(frame);
  };
  const onDataFrame = (frame: Frame): void => {
    if (frame.opcode === OP_BINARY) throw new ProtocolError(1003, 'only text is understood');
    if ((frame.opcode === OP_CONTINUATION) !== (fragments !== undefined)) {
      throw new ProtocolError(1002, 'a fragment out of place');
    }
    fragments = [...(fragments ?? []), frame.payload];
    if (fragments.reduce((sum, part) => sum + part.length, 0) > MAX_MESSAGE_BYTES) {
      throw new ProtocolError(1009, 'message too big');
    }
    if (!frame.fin) return;
    const whole = Buffer.concat(fragments);
    fragments = undefined;
    if (state === 'open') handlers.text(decodeText(whole));
  };
  const onData = (chunk: Buffer): void => {
    if (state === 'closed') return;
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    try {
      for (let read = decodeFrame(pending); read !== undefined; read = decodeFrame(pending)) {
        pending = pending.subarray(read.length);
        onFrame(read.frame);
      }
    } catch (error) {
      const code = error instanceof ProtocolError ? error.code : 1011;
      send(OP_CLOSE, closePayload(code, error instanceof Error ? error.message : ''));
      stream.end();
      finish();
    }
  };

  stream.on('data', onData);
  stream.on('error', finish);
  stream.on('close', finish);
  stream.on('end', () => {
    stream.end();
    finish();
  });
  if (head.length > 0) {
    pending = Buffer.alloc(0);
    setImmediate(onData, head);
  }
  return {
    get open() {
      return state === 'open';
    },
    sendText: (text) => send(OP_TEXT, Buffer.from(text)),
    ping: () => send(OP_PING, Buffer.alloc(0)),
    close(code, reason) {
      if (state !== 'open') return;
      state = 'closing';
      send(OP_CLOSE, closePayload(code, reason));
    },
    end() {
      if (state === 'open') send(OP_CLOSE, closePayload(1001, 'going away'));
      state = state === 'open' ? 'closing' : state;
      stream.end();
      setTimeout(() => stream.destroy(), END_GRACE_MS).unref();
    },
    destroy() {
      stream.destroy();
      finish();
    },
  };
}

function decodeText(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new ProtocolError(1007, 'not UTF-8');
  }
}

function closePayload(code: number, reason: string): Buffer {
  const payload = Buffer.alloc(2);
  payload.writeUInt16BE(code);
  return Buffer.concat([payload, Buffer.from(reason).subarray(0, 100)]);
}

/** One frame from the server, which never masks (RFC 6455, 5.1). */
function encodeFrame(opcode: number, payload: Buffer): Buffer {
  const { length } = payload;
  const header = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
  header[0] = 0x80 | opcode;
  if (length < 126) {
    header[1] = length;
  } else if (length < 65_536) {
    header[1] = 126;
    header.writeUInt16BE(length, 2);
  } else {
    header[1] = 127;
    header.writeBigUInt64BE(BigInt(length), 2);
  }
  return Buffer.concat([header, payload]);
}

/** The first frame of a client in the bytes, or undefined while it is incomplete. Throws ProtocolError. */
function decodeFrame(bytes: Buffer): { frame: Frame; length: number } | undefined {
  if (bytes.length < 2) return undefined;
  const first = bytes.readUInt8(0);
  const second = bytes.readUInt8(1);
  const opcode = first & 0x0f;
  if (!KNOWN_OPCODES.has(opcode)) throw new ProtocolError(1002, 'an unknown opcode');
  if ((first & 0x70) !== 0) throw new ProtocolError(1002, 'no extension was agreed');
  if ((second & 0x80) === 0) throw new ProtocolError(1002, 'a client must mask');
  let size = second & 0x7f;
  let offset = 2;
  if (opcode >= 8 && (size > 125 || (first & 0x80) === 0)) throw new ProtocolError(1002, 'a bad control frame');
  if (size === 126) {
    if (bytes.length < 4) return undefined;
    size = bytes.readUInt16BE(2);
    offset = 4;
  } else if (size === 127) {
    if (bytes.length < 10) return undefined;
    size = Number(bytes.readBigUInt64BE(2));
    offset = 10;
  }
  if (size > MAX_MESSAGE_BYTES) throw new ProtocolError(1009, 'message too big');
  const length = offset + 4 + size;
  if (bytes.length < length) return undefined;
  const mask = bytes.subarray(offset, offset + 4);
  const payload = Buffer.from(bytes.subarray(offset + 4, length));
  for (let index = 0; index < payload.length; index += 1) {
    payload[index] = (payload[index] ?? 0) ^ (mask[index % 4] ?? 0);
  }
  return { frame: { fin: (first & 0x80) !== 0, opcode, payload }, length };
}
