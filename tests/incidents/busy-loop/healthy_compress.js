// Compresses a large buffer of words with the slowest setting, again and again.
import { deflateSync } from 'node:zlib';

const words = Array.from({ length: 4096 }, (_, at) => `word${(at * 7919) % 4093} `);
let text = '';
for (let at = 0; text.length < 8_000_000; at += 1) text += words[(at * at + at * 31) % words.length];
const data = Buffer.from(text);
process.stdout.write(`standing ${process.pid}\n`);
for (;;) deflateSync(data, { level: 9, memLevel: 9 });
