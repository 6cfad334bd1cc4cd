import type { FindingDraft, Fix, Look, Observation, PythonFrame, Quote } from '../model/index.ts';
import { type IdentifyData, identify } from '../probes/identify.ts';
import { sample } from '../probes/sample.ts';
import type { SocketRatesData } from '../probes/socket-rates.ts';
import { frameName, threadName } from '../reading/python.ts';
import { bytes, code, count, duration, kib, list, visible } from '../reading/text.ts';
import type { Inflow, Library, Reader } from './buffered-download.evidence.ts';

type Seen<Data> = Extract<Observation<Data>, { seen: true }>;

/** How each library reads a body in parts: the lines to write instead of the call. */
const IN_PARTS: Readonly<Record<Library | 'other', string>> = {
  requests:
    'with session.get(url, stream=True, timeout=(3.05, 30)) as answer:\n    answer.raise_for_status()\n    with open(path, "wb") as copy:\n        for part in answer.iter_content(1 << 20):',
  httpx:
    'with client.stream("GET", url, timeout=30) as answer:\n    answer.raise_for_status()\n    with open(path, "wb") as copy:\n        for part in answer.iter_bytes(1 << 20):',
  aiohttp:
    'async with session.get(url) as answer:\n    answer.raise_for_status()\n    with open(path, "wb") as copy:\n        async for part in answer.content.iter_chunked(1 << 20):',
  urllib3:
    'answer = pool.request("GET", url, preload_content=False, timeout=30)   # and answer.release_conn() at the end\nwith open(path, "wb") as copy:\n    for part in answer.stream(1 << 20):',
  urllib:
    'with urllib.request.urlopen(url, timeout=30) as answer, open(path, "wb") as copy:\n    for part in iter(lambda: answer.read(1 << 20), b""):',
  'http.client':
    'answer = connection.getresponse()          # or urllib.request.urlopen(url, timeout=30)\nwith open(path, "wb") as copy:\n    for part in iter(lambda: answer.read(1 << 20), b""):',
  asyncio: 'with open(path, "wb") as copy:\n    while part := await reader.read(1 << 20):',
  ftplib:
    'with open(path, "wb") as copy:\n    ftp.retrbinary("RETR " + name, copy.write, blocksize=1 << 20)   # not a list\'s append',
  botocore:
    'client.download_file(bucket, key, path)    # or: answer["Body"].iter_chunks(1 << 20)\nwith open(path, "wb") as copy:\n    for part in answer["Body"].iter_chunks(1 << 20):',
  database:
    'cursor = connection.cursor(name="export")  # psycopg: on the server; pymysql: SSCursor; pymongo: batch_size\ncursor.itersize = 2000\ncursor.execute(query)\nfor row in cursor:\n    handle(row)                            # never fetchall()',
  redis:
    'for key in client.scan_iter(match=pattern, count=1000):   # not KEYS; HSCAN, SSCAN, LRANGE in pages instead of HGETALL, SMEMBERS',
  socket: 'with open(path, "wb") as copy:\n    while part := connection.recv(1 << 20):',
  other:
    'with open(path, "wb") as copy:\n    for part in parts_of_the_answer:      # at most 1 MiB each, written before the next is read',
};

/** What stands inside of the loop over the parts. */
const limited = (parts: string): string => {
  const margin = `${/^ */.exec(parts.split('\n').at(-1) ?? '')?.[0] ?? ''}    `;
  const inside = [
    'copy.write(part)',
    'if copy.tell() > LARGEST:',
    '    raise ValueError(f"{url} is larger than {LARGEST} bytes")',
  ];
  return [parts, ...inside.map((line) => `${margin}${line}`)].join('\n');
};

const HEADERS: Readonly<Partial<Record<Library, string>>> = {
  requests:
    'session.head(url, allow_redirects=True, timeout=(3.05, 30)).status_code\n# where only GET does it:\nsession.get(url, headers={"Range": "bytes=0-0"}, stream=True, timeout=(3.05, 30)).close()',
  httpx:
    'client.head(url, follow_redirects=True)\n# where only GET does it:\nwith client.stream("GET", url, headers={"Range": "bytes=0-0"}) as answer:\n    answer.status_code',
  aiohttp: 'async with session.head(url, allow_redirects=True) as answer:\n    answer.status',
};

const fixesFor = (look: Look, reader: Reader | null, inflow: Inflow): Fix[] => {
  const library = reader?.library ?? null;
  const result = library === 'database' || library === 'redis';
  const where = reader?.own == null ? '' : ` in ${frameName(reader.own)}`;
  const [socket] = inflow.sockets;
  const who = look.see(identify);
  const python = reader?.stack != null || (who.seen && who.data.runtime.kind === 'python');
  const parts = IN_PARTS[library ?? (reader?.loop === true || reader?.kind === 'task' ? 'asyncio' : 'other')];
  const fixes: Fix[] = [
    {
      title: result ? `Fetch the result in parts${where}` : `Take the body in bounded parts${where}`,
      detail: result
        ? 'The whole result is in memory before its first row is used. Let the server keep it and fetch some rows at a time.'
        : 'Write each part to a file before the next one is read, and give the answer a largest size. Memory then stays flat, however large the file is. To verify: resident memory (`VmRSS` in /proc/PID/status) while the same file comes in.',
      ...(python
        ? {
            code: `${reader?.own == null ? '' : `# ${visible(reader.own.file)}:${reader.own.line}, ${visible(reader.own.function)}\n`}${/for part|while part/.test(parts) && !result ? limited(parts) : parts}`,
          }
        : { code: 'curl --fail --location --max-filesize 10G --output FILE URL' }),
    },
  ];
  if (!result) {
    fixes.push(
      {
        title: 'Ask for no body where only the status or the headers are wanted',
        detail:
          'HEAD, or a Range of one byte where the other side only acts on GET, or close the answer without reading it. A client library that is not told to stream reads the whole body before it returns.',
        code: HEADERS[library ?? 'requests'] ?? HEADERS.requests ?? '',
      },
      {
        title: 'Give very large files to curl',
        detail:
          'A child does it with constant memory and little CPU, and what it does wrong ends it and not this process. With gevent or asyncio use their own subprocess.',
        code: 'subprocess.run(["curl", "--fail", "--location", "--silent", "--show-error", "--max-time", "3600",\n                "--max-filesize", str(LARGEST), "--output", path, "--", url], check=True)',
      },
    );
  }
  if (socket !== undefined) {
    fixes.push({
      title: `Watch it: bytes from ${visible(socket.peer)} beside memory`,
      detail: 'Both go up together while it lasts, and memory stays up until the body is thrown away.',
      code: `while sleep 1; do grep VmRSS /proc/${inflow.process.pid}/status; ss -tni dst ${visible(socket.peer).replace(/[^0-9A-Za-z.:[\]%]/g, '')} | grep -o 'bytes_received:[0-9]*'; done`,
    });
  }
  return fixes;
};

/** When memory is used up at this rate, and which; empty when that is hours away or not known. */
const endText = (look: Look, inflow: Inflow, seconds: number): string => {
  const who: Observation<IdentifyData> = look.see(identify);
  if (!who.seen) return '';
  const { cgroup, host } = who.data;
  const limit = cgroup?.memoryLimitBytes ?? null;
  const inGroup =
    limit !== null && cgroup?.memoryUsedBytes != null && limit < host.memoryTotalKib * 1024
      ? (limit - cgroup.memoryUsedBytes) / 1024
      : Number.POSITIVE_INFINITY;
  const left = Math.min(inGroup, host.memoryAvailableKib);
  const time = Math.max(0, left) / (inflow.grownKib / seconds);
  if (!Number.isFinite(time) || time > 86_400) return '';
  const whose = left === inGroup ? `its control group, which may have ${bytes(limit ?? 0)},` : 'the host';
  return ` At this rate ${whose} is out of memory in ${duration(time)} (${kib(Math.max(0, left))} are left), if the answer is that long; the kernel then kills.`;
};

const quotesFor = (look: Look, rates: Seen<SocketRatesData>, inflow: Inflow, reader: Reader | null): Quote[] => {
  const sampled = look.see(sample);
  const [socket] = inflow.sockets;
  return [
    look.quote(rates.evidenceId, inflow.process.at),
    ...(socket === undefined ? [] : [look.quote(rates.evidenceId, socket.at)]),
    ...(sampled.seen && reader?.sampled != null
      ? [look.quote(sampled.evidenceId, reader.sampled.syscalls[0]?.at ?? reader.sampled.at)]
      : []),
    ...[reader?.call ?? null, reader?.own ?? null]
      .filter((frame, index, all) => frame !== null && all.indexOf(frame) === index)
      .flatMap((frame) =>
        frame === null || reader?.evidenceId == null ? [] : [look.quote(reader.evidenceId, frame.at)],
      ),
  ];
};

const LIBRARY: Readonly<Record<Library, string>> = {
  requests: '`requests`, which was not told to stream',
  httpx: '`httpx`, which was not told to stream',
  aiohttp: '`aiohttp`',
  urllib3: '`urllib3`',
  urllib: '`urllib.request`',
  'http.client': '`http.client` (`urllib.request` uses it too)',
  asyncio: 'a stream reader of `asyncio`',
  ftplib: '`ftplib`',
  botocore: '`botocore`',
  database: 'a database client, which takes the whole result',
  redis: 'a Redis client, which takes the whole answer',
  socket: 'its own reads of the socket',
};

/** What reads. Functions that give a body in parts say that the program keeps them. */
const libraryText = (library: Library, call: PythonFrame | null): string =>
  call !== null && /(^|\.)(generate|a?iter_\w+)$/.test(call.function)
    ? `\`${library}\` in parts, which are kept`
    : LIBRARY[library];

/** Who loads it, for the beginning of the headline. */
const readerName = (look: Look, reader: Reader | null): string => {
  if (reader === null) return 'It';
  if (reader.loop) return 'A task of its event loop';
  const { thread, sampled } = reader;
  const main = sampled?.tid === look.target.pid;
  const name =
    reader.kind === 'thread'
      ? threadName(thread ?? { tid: sampled?.tid ?? null, name: sampled?.comm ?? '', main })
      : `a ${reader.kind}`;
  return `${name.charAt(0).toUpperCase()}${name.slice(1)}${reader.own === null ? '' : `, in ${frameName(reader.own)},`}`;
};

/** The finding for the target, or for a child of it when `child` says so. */
export const draftFor = (
  look: Look,
  rates: Seen<SocketRatesData>,
  inflow: Inflow,
  reader: Reader | null,
  sure: { readonly confidence: number; readonly inferred: string | null },
): FindingDraft => {
  const { process, sockets, grownKib, received } = inflow;
  const { seconds } = rates.data;
  const child = process.pid !== look.target.pid;
  const [socket] = sockets;
  const peers = [...new Set(sockets.map((each) => visible(each.peer)))];
  const from = `${list(peers.slice(0, 3))}${peers.length > 3 ? ` and ${peers.length - 3} more` : ''}`;
  const who = child ? `Its child ${process.pid}` : readerName(look, reader);
  const all = socket?.receivedInAll ?? null;
  const size = all === null || sockets.length > 1 ? '' : `, ${bytes(all)} so far on this connection`;
  const by =
    reader?.library == null
      ? ''
      : ` It is read by ${libraryText(reader.library, reader.call)}${reader.call === null ? '' : ` (${frameName(reader.call)})`}.`;
  const speed = `${bytes(received / seconds)} a second`;
  const many = sockets.length > 1 ? ` over ${count(sockets.length, 'connection')}` : '';
  return {
    confidence: sure.confidence,
    title: `${who} loads a whole ${reader?.library === 'database' || reader?.library === 'redis' ? 'result' : 'download'} from ${from} into memory: +${kib(grownKib)} in ${duration(seconds)}`,
    summary:
      `In ${duration(seconds)} resident memory${child ? ` of process ${process.pid}` : ''} grew by ${kib(grownKib)}, from ${kib(process.rssKib.first)} to ${kib(process.rssKib.last)}, while ${bytes(received)} (${speed}) came in from ${from}${many}${size}: ${inflow.swollen ? `${Math.round((grownKib * 1024) / received)} times as much stays` : 'what comes in stays'}.${by}` +
      endText(look, inflow, seconds) +
      (sure.inferred === null ? '' : ` Inferred: ${sure.inferred}.`),
    evidence: quotesFor(look, rates, inflow, reader),
    fixes: fixesFor(look, reader, inflow),
    ...(child
      ? { related: [{ pid: process.pid, why: `it downloads ${speed} from ${code(from, 80)} into its memory` }] }
      : {}),
  };
};
