import { defineCause, type FindingDraft } from '../model/index.ts';
import { pyStacks } from '../probes/py-stacks.ts';
import { sample } from '../probes/sample.ts';
import { socketRates } from '../probes/socket-rates.ts';
import { bytes, kib } from '../reading/text.ts';
import { purposeOf } from './blocked-on-network.waits.ts';
import {
  findReader,
  type Inflow,
  inflowOf,
  oneAnswer,
  type Reader,
  servedPorts,
} from './buffered-download.evidence.ts';
import { draftFor } from './buffered-download.texts.ts';

interface Sureness {
  readonly confidence: number;
  readonly inferred: string | null;
}

/** Bytes of a body from which on nobody can have meant to have it in memory. */
const LARGE = 16 << 20;

/** How sure it is that a download is what makes this process grow. `elsewhere`: bytes that it passed on in the window. */
const surenessOf = (inflow: Inflow, reader: Reader | null, seconds: number, elsewhere: number): Sureness => {
  const [socket] = inflow.sockets;
  const large = inflow.sockets.some((each) => (each.receivedInAll ?? each.received) >= LARGE);
  const one = inflow.sockets.some((each) => oneAnswer(each, seconds));
  if (inflow.swollen) {
    // Little came in: only who is seen to read a body can have made so much of it.
    const reads = reader?.direct === true && /^(requests|httpx|aiohttp|urllib3|botocore)$/.test(reader.library ?? '');
    const inferred = 'that the body is compressed, and memory is filled by what it unpacks to';
    return { confidence: reads ? 0.85 : 0, inferred };
  }
  if (elsewhere >= 0.5 * inflow.received) {
    return {
      confidence: 0.45,
      inferred: `that what it writes or sends on (${bytes(elsewhere)} in the window) is something else than what comes in`,
    };
  }
  if (socket === undefined) return { confidence: 0, inferred: null };
  if (!one) {
    return {
      confidence: reader?.direct === true ? 0.55 : 0.45,
      inferred: 'that it is one body that comes in, and not many answers that it keeps: it also asked in the window',
    };
  }
  if (reader === null)
    return { confidence: 0.75, inferred: 'that it is this connection that fills memory: who reads it was not seen' };
  if (reader.loop) {
    return {
      confidence: 0.85,
      inferred: 'that a task of its event loop collects what comes in: the loop reads, and tasks are not on its stack',
    };
  }
  if (reader.stack !== null && purposeOf(reader.stack).kind === 'messages') {
    return { confidence: 0.55, inferred: 'that it is one body and not a stream of messages, each of which it keeps' };
  }
  if (reader.library === 'database' || reader.library === 'redis')
    return { confidence: 0.6, inferred: 'that the result is larger than the program can mean to have in memory' };
  if (!reader.direct)
    return { confidence: 0.8, inferred: 'that this thread, which waits for descriptors, reads that connection' };
  return large
    ? {
        confidence: reader.stack === null ? 0.85 : 0.93,
        inferred: reader.stack === null ? 'what the thread does with the bytes' : null,
      }
    : { confidence: 0.75, inferred: 'that the body is large: not much of it has come so far' };
};

/** A whole body is read into memory: resident memory grows by what one connection brings. */
export const bufferedDownload = defineCause({
  id: 'buffered-download',
  title: 'A download is loaded into memory as a whole',
  needs: [sample, socketRates],
  explains: ['oom-killed', 'python-heap-growth', 'native-memory-growth', 'allocator-retention', 'swap-thrash'],
  judge: (look) => {
    const rates = look.see(socketRates);
    const sampled = look.see(sample);
    if (!rates.seen) return { verdict: 'cannot-tell', why: rates.why, wants: [socketRates.id] };
    if (!sampled.seen) return { verdict: 'cannot-tell', why: sampled.why, wants: [sample.id] };
    const { data } = rates;
    if (data.seconds < 0.4 || data.looks < 2)
      return { verdict: 'cannot-tell', why: 'the window was too short to see memory grow' };
    const served = servedPorts(look);
    const found: FindingDraft[] = [];
    for (const { pid } of data.processes) {
      const { inflow } = inflowOf(data, pid, served);
      if (inflow === null) continue;
      const own = pid === look.target.pid;
      const reader = own ? findReader(look, inflow.sockets) : null;
      const sent = data.sockets.filter((socket) => socket.pid === pid).reduce((sum, socket) => sum + socket.sent, 0);
      const elsewhere = sent + (own ? (sampled.data.process.io?.wchar ?? 0) : 0);
      const sure = surenessOf(inflow, reader, data.seconds, elsewhere);
      if (sure.confidence >= 0.3) found.push(draftFor(look, rates, inflow, reader, sure));
    }
    if (found.length > 0) return { verdict: 'fires', findings: found, wants: [pyStacks.id] };
    const { received } = inflowOf(data, look.target.pid, served);
    const memory = data.processes[0]?.rssKib;
    const grown = memory === undefined ? 0 : memory.last - memory.first;
    return {
      verdict: 'clear',
      why:
        received < 1 << 20
          ? `${received === 0 ? 'nothing' : `no more than ${bytes(received)}`} came in on connections of its own making in the window`
          : `${bytes(received)} came in and did not stay: memory ${grown <= 0 ? 'did not grow' : `grew by ${kib(grown)}`}`,
    };
  },
});
