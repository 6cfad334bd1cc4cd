import { createHmac } from 'node:crypto';
import { connect } from 'node:net';
import { printMemory, untilCounted } from './alerts.ts';
import { type BenchProgram, startBenchProgram } from './program.ts';
import type { Print } from './run.ts';

const SECONDS = 15;
const CONNECTIONS = 40;
/** Requests that each connection sends before it waits for answers. */
const AT_ONCE = 16;
const GROUPS = Array.from({ length: 500 }, (_, index) => `flood-${index}`);
/** Every so many connections do not know the secret. */
const STRANGERS = 4;

const requestOf = (number: number, secret: string): string => {
  const body = JSON.stringify({
    group: GROUPS[number % GROUPS.length],
    status: 'firing',
    title: 'Requests take longer than 2 s',
    labels: { host: 'web-7', number: String(number) },
  });
  const time = String(Math.floor(Date.now() / 1_000));
  const signature = createHmac('sha256', secret).update(`${time}.${body}`).digest('hex');
  return [
    'POST /alerts/generic HTTP/1.1',
    'Host: bench',
    'Content-Type: application/json',
    `X-Straceback-Timestamp: ${time}`,
    `X-Straceback-Signature: v1=${signature}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    '',
    body,
  ].join('\r\n');
};

const flood = async ({ alertsPort, secret }: BenchProgram): Promise<{ sent: number; answers: Map<string, number> }> => {
  const until = performance.now() + SECONDS * 1_000;
  const answers = new Map<string, number>();
  let sent = 0;
  const pour = (with_: string) =>
    new Promise<void>((resolve, reject) => {
      const socket = connect(alertsPort, '127.0.0.1');
      let open = 0;
      let rest = '';
      const more = () => {
        if (performance.now() > until) return void (open === 0 && socket.end());
        let batch = '';
        for (; open < AT_ONCE; open++) batch += requestOf(sent++, with_);
        socket.write(batch);
      };
      socket.on('data', (piece) => {
        const text = rest + piece.toString('latin1');
        const heads = [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)];
        for (const [, status = ''] of heads) answers.set(status, (answers.get(status) ?? 0) + 1);
        open -= heads.length;
        // The beginning of an answer may be at the end of a piece.
        const last = heads.at(-1);
        rest = text.slice(Math.max(last === undefined ? 0 : last.index + last[0].length, text.length - 11));
        more();
      });
      socket
        .once('connect', more)
        .once('close', () => resolve())
        .once('error', reject);
    });
  await Promise.all(
    Array.from({ length: CONNECTIONS }, (_, index) => pour(index % STRANGERS === 0 ? 'not-the-secret' : secret)),
  );
  return { sent, answers };
};

/** As many alerts as this machine can send for 15 s, a quarter of them wrongly signed. */
export const run = async (print: Print): Promise<void> => {
  const program = await startBenchProgram();
  try {
    const before = await program.figures();
    const { sent, answers } = await flood(program);
    print('flood', 'sent a minute', (sent * 60) / SECONDS, 'alerts');
    print('flood', 'sent', sent, 'alerts');
    for (const [status, count] of [...answers].sort()) print('flood', `answered ${status}`, count, 'alerts');
    const { seconds, counted } = await untilCounted(program, GROUPS, answers.get('202') ?? 0);
    print('flood', 'counted in their groups', counted, 'alerts');
    print('flood', 'all counted after the last', seconds, 's');
    await printMemory(print, 'flood', program, before);
  } finally {
    await program.close();
  }
};
