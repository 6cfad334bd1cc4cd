/** What a core file of an attacker's own making says. */
export interface HostileCore {
  /** The process that it calls its parent, by which it belongs to that one's family. */
  readonly parent: number;
  /** The path that it calls its program's, any bytes but NUL. */
  readonly program: string;
}

const SIGSEGV = 11;
const ENTRY = 0x401000n;
const NT = { PRSTATUS: 1, PRPSINFO: 3, AUXV: 6, FILE: 0x46494c45 } as const;

const padded = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);

const note = (kind: number, content: Buffer): Buffer => {
  const head = Buffer.alloc(12);
  [5, content.length, kind].forEach((number, at) => {
    head.writeUInt32LE(number, 4 * at);
  });
  return Buffer.concat([head, padded(Buffer.from('CORE\0')), padded(content)]);
};

const numbers = (...values: readonly bigint[]): Buffer => {
  const bytes = Buffer.alloc(8 * values.length);
  values.forEach((value, at) => {
    bytes.writeBigUInt64LE(value, 8 * at);
  });
  return bytes;
};

/** A core as the kernel might write one, with one thread that died of SIGSEGV (core(5), elf(5); x86-64). */
export const hostileCore = ({ parent, program }: HostileCore): Buffer => {
  const status = Buffer.alloc(336);
  status.writeInt32LE(SIGSEGV, 0);
  status.writeInt16LE(SIGSEGV, 12);
  status.writeInt32LE(parent + 1, 32);
  status.writeBigUInt64LE(ENTRY, 240);
  const info = Buffer.alloc(136);
  info.writeInt32LE(parent + 1, 24);
  info.writeInt32LE(parent, 28);
  info.write('python3', 40);
  const notes = Buffer.concat([
    note(NT.PRSTATUS, status),
    note(NT.PRPSINFO, info),
    note(NT.AUXV, numbers(9n, ENTRY, 0n, 0n)),
    note(NT.FILE, Buffer.concat([numbers(1n, 4096n, 0x400000n, 0x500000n, 0n), Buffer.from(`${program}\0`, 'latin1')])),
  ]);
  const head = Buffer.alloc(64 + 56);
  head.write('\x7fELF\x02\x01\x01', 'latin1');
  head.writeUInt16LE(4, 16);
  head.writeUInt16LE(62, 18);
  head.writeUInt32LE(1, 20);
  head.writeBigUInt64LE(64n, 32);
  [64, 56, 1].forEach((number, at) => {
    head.writeUInt16LE(number, 52 + 2 * at);
  });
  head.writeUInt32LE(4, 64);
  head.writeBigUInt64LE(64n + 56n, 64 + 8);
  head.writeBigUInt64LE(BigInt(notes.length), 64 + 32);
  return Buffer.concat([head, notes]);
};
