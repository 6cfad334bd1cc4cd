import { redactor } from '../../infra/redact/redactor.ts';
import { scanForSecrets } from '../../infra/redact/scan.ts';
import type { Print } from './run.ts';

const MEGABYTES = 100;

/** Lines as strace writes them; one in a hundred has a secret in its buffer. */
const traceOf = (bytes: number): string => {
  const lines: string[] = [];
  for (let size = 0, at = 0; size < bytes; at += 1) {
    const line =
      at % 100 === 0
        ? `42${at % 90} write(5, "GET /v1 HTTP/1.1\\r\\nAuthorization: Bearer k${at}abcdefgh\\r\\n", 52) = 52 <0.000031>`
        : at % 2 === 0
          ? `42${at % 90} read(7, "GET /v1/items/${at}?page=2 HTTP/1.1\\r\\nHost: shop\\r\\n"..., 4096) = 213 <0.000021>`
          : `42${at % 90} futex(0x7f3a${at}, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, FUTEX_BITSET_MATCH_ANY) = -1 ETIMEDOUT`;
    lines.push(line);
    size += line.length + 1;
  }
  // One flat string, as decoded evidence is.
  return Buffer.from(lines.join('\n')).toString();
};

/** How fast secrets are taken out of strace output, MB of text for a second of one core. */
export const run = async (print: Print): Promise<void> => {
  const text = traceOf(MEGABYTES * 1e6);
  await scanForSecrets(['warm']);
  const began = process.cpuUsage();
  const known = await scanForSecrets([text]);
  const scanned = process.cpuUsage(began);
  redactor(known).text(text);
  const whole = process.cpuUsage(began);
  const seconds = (usage: NodeJS.CpuUsage) => (usage.user + usage.system) / 1e6;
  print('redact', 'scan for known forms', MEGABYTES / seconds(scanned), 'MB/s of a core');
  print('redact', 'scan and replace', MEGABYTES / seconds(whole), 'MB/s of a core');
};
