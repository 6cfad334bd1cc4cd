import { beforeAll, describe, expect, it } from 'vitest';
import { blockedOnNetwork } from '../../../playbooks/causes/blocked-on-network.ts';
import { purposeOf } from '../../../playbooks/causes/blocked-on-network.waits.ts';
import type { Probe, PythonFrame } from '../../../playbooks/model/index.ts';
import { loadProbes } from '../../../playbooks/registry.ts';
import { changedLook, firstFinding, loadLook, verdictOn } from '../../support/record-look.ts';

let probes: ReadonlyMap<string, Probe>;
beforeAll(async () => {
  probes = await loadProbes();
});

const judge = (name: string, without: readonly string[] = []) =>
  verdictOn(blockedOnNetwork, loadLook(`blocked-on-network/${name}`), probes, without);

const frame = (name: string, file: string): PythonFrame => ({
  function: name,
  file,
  line: 10,
  firstLine: 1,
  signal: null,
  holds: [],
  at: 1,
});

describe('fires', () => {
  it('for an HTTP request that was never answered, with peer, queues and the call to change', () => {
    const finding = firstFinding(judge('price_fetcher'));
    expect(finding.confidence).toBe(0.78);
    expect(finding.summary).toMatch(
      /Inferred: that no answer comes any more: it was asked \d[\d.]* s ago, and a slow answer may still come/,
    );
    expect(finding.title).toMatch(
      /^The main thread waits in `PriceSource\.price_of` \(`\/srv\/app\/blocked-on-network\/price_fetcher\.py:\d+`\) for an answer of 127\.0\.0\.1:\d+, without a timeout$/,
    );
    expect(finding.summary).toMatch(/it sent \d+ bytes, .* and has never got a byte/);
    expect(finding.evidence.map((quote) => quote.text)).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/in recvfrom \d+ times/),
        expect.stringMatching(/^tcp fd=\d+ ESTAB/),
      ]),
    );
    expect(finding.fixes[0]?.code).toContain('timeout=30');
    expect(finding.fixes[1]?.code).toMatch(/^ss -ltnp 'sport = :\d+'$/);
  });

  it('surely when the question is old', () => {
    const look = changedLook(loadLook('blocked-on-network/price_fetcher'), 'sockets', (text) =>
      text.replace(/lastsnd:\d+/g, 'lastsnd:61000'),
    );
    const finding = firstFinding(verdictOn(blockedOnNetwork, look, probes));
    expect(finding.confidence).toBe(0.9);
    expect(finding.summary).not.toContain('Inferred');
  });

  it('more surely when packets were watched for longer, and none came', () => {
    const taken = changedLook(loadLook('blocked-on-network/price_fetcher'), 'sockets', (text) =>
      text.replace(/lastsnd:\d+/g, 'lastsnd:15000'),
    );
    const watched = (packets: string) => {
      const [first] = taken.evidence;
      if (first === undefined) throw new Error('no evidence');
      const stdout = new TextEncoder().encode(packets);
      return firstFinding(
        verdictOn(
          blockedOnNetwork,
          {
            recorded: taken.recorded,
            evidence: [...taken.evidence, { ...first, id: `E${taken.evidence.length + 1}`, probe: 'tcpdump', stdout }],
          },
          probes,
        ),
      );
    };
    const silent = watched('== ports 4000\n== end: captured 0, dropped 0\n');
    expect(silent.confidence).toBe(0.9);
    expect(silent.evidence.at(-1)?.text).toBe('== ports 4000');
    expect(watched('== ports 4000\n').confidence).toBe(0.86);
    expect(firstFinding(verdictOn(blockedOnNetwork, taken, probes)).confidence).toBe(0.86);
  });

  it('as a hint while a database may still be at a query, more surely when that takes long', () => {
    const asked = (ms: number) =>
      firstFinding(
        verdictOn(
          blockedOnNetwork,
          changedLook(loadLook('blocked-on-network/price_fetcher'), 'sockets', (text) =>
            text
              .replace(/^(tcp .*127\.0\.0\.1:\d+) 127\.0\.0\.1:\d+/gm, '$1 127.0.0.1:5432')
              .replace(/lastsnd:\d+/g, `lastsnd:${ms}`),
          ),
          probes,
        ),
      );
    expect(asked(3000).confidence).toBe(0.45);
    expect(asked(3000).summary).toContain('such as that of a long query');
    expect(asked(30_000).confidence).toBe(0.7);
    expect(asked(61_000).confidence).toBe(0.9);
  });

  it('less surely for a protocol that it does not know', () => {
    const finding = firstFinding(judge('ledger_client'));
    expect(finding.confidence).toBeGreaterThanOrEqual(0.6);
    expect(finding.confidence).toBeLessThan(0.9);
    expect(finding.summary).toContain('Inferred: that the other side owes an answer');
  });

  it('once for all threads that hang at the same place', () => {
    const verdict = judge('gateway');
    expect(verdict.verdict === 'fires' && verdict.findings.length).toBe(1);
    expect(firstFinding(verdict).title).toMatch(/^4 threads wait in `Handler\.load_profile`/);
  });

  it('for a connection that nobody accepts', () => {
    const finding = firstFinding(judge('full_backlog'));
    expect(finding.confidence).toBe(0.95);
    expect(finding.title).toContain('to connect to');
    expect(finding.summary).toContain('of this very process, and its queue is full: 1 connection to be accepted');
    expect(finding.evidence.at(-1)?.text).toMatch(/^tcp fd=3 LISTEN 1 0 /);
  });

  it('for a connection that nobody answers, without a word of a queue that is not full or not its own', () => {
    const look = changedLook(loadLook('blocked-on-network/full_backlog'), 'sockets', (text) =>
      text.replace('LISTEN 1 0', 'LISTEN 1 1'),
    );
    const finding = firstFinding(verdictOn(blockedOnNetwork, look, probes));
    expect(finding.confidence).toBe(0.95);
    expect(finding.summary).not.toContain('queue');
    expect(finding.fixes[1]?.detail).toContain('queue of connections is full');
  });

  it('with a confidence of two digits', () => {
    const look = changedLook(loadLook('blocked-on-network/patient_query'), 'sample', (text) =>
      text.replace(/0xdbba0/g, '0xffffffff'),
    );
    expect(firstFinding(verdictOn(blockedOnNetwork, look, probes)).confidence).toBe(0.68);
  });

  it('for a peer that reads no more', () => {
    const finding = firstFinding(judge('backup_upload'));
    expect(finding.confidence).toBeGreaterThan(0.9);
    expect(finding.title).toContain('to send to');
    expect(finding.summary).toMatch(/not taken by the other side/);
  });

  it('without Python stacks too, and then less surely', () => {
    const finding = firstFinding(judge('price_fetcher', ['py-stacks']));
    expect(finding.confidence).toBeGreaterThanOrEqual(0.5);
    expect(finding.confidence).toBeLessThan(0.7);
  });
});

describe('tasks and greenlets', () => {
  it('fire with their own function and the connection that they wait on', () => {
    const finding = firstFinding(judge('async_task'));
    expect(finding.confidence).toBe(0.75);
    expect(finding.title).toMatch(
      /^A task waits in `look_up` .* for an answer of 127\.0\.0\.1:\d+, with no limit around it$/,
    );
    expect(finding.evidence.map((quote) => quote.text).join('\n')).toMatch(
      /bytes_sent:12[\s\S]*of type _asyncio\.Task waiting/,
    );
    expect(finding.fixes[0]?.code).toContain('asyncio.timeout(30)');
    expect(firstFinding(judge('gevent_quotes')).title).toMatch(/^A greenlet waits in `fetch_quote`/);
  });

  it.each([
    [
      'wait with a limit around it',
      (text: string) =>
        text.replace(
          /^( {4})look_up {2}/m,
          '$1wait_for  /usr/lib/python3.11/asyncio/tasks.py:479  (def at 437)\n    look_up  ',
        ),
    ],
    [
      'may be what another task gives a limit to',
      (text: string) =>
        text.replace(
          /^ {2}1 of type _asyncio\.Task.*$/m,
          '  1 of type _asyncio.Task waiting, 1 of them all the while, in thread ?, for _asyncio.Future, on sockets -\n    wait_for  /usr/lib/python3.11/asyncio/tasks.py:479  (def at 437)\n    main  /srv/app/main.py:9  (def at 5)\n$&',
        ),
    ],
    [
      'wait for messages',
      (text: string) =>
        text.replace(
          /^( {4})look_up {2}/m,
          '$1WebSocket.recv  /usr/lib/python3/dist-packages/websockets/legacy/protocol.py:5  (def at 4)\n    look_up  ',
        ),
    ],
    [
      'did not wait all the while',
      (text: string) => text.replace('1 of them all the while', '0 of them all the while'),
    ],
  ])('do not when they %s', (_, change) => {
    const verdict = verdictOn(
      blockedOnNetwork,
      changedLook(loadLook('blocked-on-network/async_task'), 'py-stacks', change),
      probes,
    );
    const findings = verdict.verdict === 'fires' ? verdict.findings : [];
    expect(findings.filter((finding) => finding.confidence >= 0.5)).toEqual([]);
  });
});

describe('a server of one thread that waits for one client', () => {
  it('fires when others wait to be accepted, and names the client and how many wait', () => {
    const finding = firstFinding(judge('one_by_one'));
    expect(finding.confidence).toBe(0.82);
    expect(finding.title).toMatch(
      /^The main thread waits for its client 127\.0\.0\.1:\d+ to say something, and 3 other clients wait on 127\.0\.0\.1:\d+ meanwhile$/,
    );
    expect(finding.summary).toContain('3 connections lie in the queue of');
    expect(finding.evidence[0]?.text).toMatch(/^tcp fd=3 LISTEN 3 5 /);
    expect(finding.fixes[0]?.code).toContain('timeout = 10');
  });

  it('more surely when no relative can take connections from the same socket', () => {
    const look = changedLook(loadLook('blocked-on-network/one_by_one'), 'identify', (text) =>
      text.replace(/^(parent|child|sibling) \d+: .*\n/gm, ''),
    );
    expect(firstFinding(verdictOn(blockedOnNetwork, look, probes)).confidence).toBe(0.92);
  });

  it('is clear when nobody waits', () => {
    const look = changedLook(loadLook('blocked-on-network/one_by_one'), 'sockets', (text) =>
      text.replace('LISTEN 3 5', 'LISTEN 0 5'),
    );
    expect(verdictOn(blockedOnNetwork, look, probes).verdict).toBe('clear');
  });

  it('is clear when another thread takes connections', () => {
    const look = changedLook(loadLook('blocked-on-network/one_by_one'), 'sample', (text) =>
      text.replace(
        /^end$/m,
        'thread 7: "python3", 60 samples, states S 60, user 0.00 s, system 0.00 s, switches 3 voluntary 0 involuntary\nthread 7 in accept4 60 times, last accept4(0x3, 0x0, 0x0, 0x80000, 0x0, 0x0) on socket:[1]\nend',
      ),
    );
    expect(verdictOn(blockedOnNetwork, look, probes).verdict).toBe('clear');
  });
});

describe('is clear', () => {
  it('when the thread that waits is given something now and then, as in a slow download', () => {
    const look = changedLook(loadLook('blocked-on-network/price_fetcher'), 'sample', (text) =>
      text.replace('switches 0 voluntary', 'switches 7 voluntary'),
    );
    expect(verdictOn(blockedOnNetwork, look, probes).verdict).toBe('clear');
  });
});

describe('hints, and no more, at', () => {
  it('a loop whose only connection owes an answer', () => {
    const finding = firstFinding(judge('async_lookup'));
    expect(finding.confidence).toBe(0.45);
    expect(finding.title).toMatch(/^The main thread waits in .* in epoll_wait and has an unanswered question to 127/);
    expect(finding.summary).toContain('its loop waits for nothing else');
  });

  it('such a loop too when its standard streams are sockets, as those of a systemd service are', () => {
    const look = changedLook(loadLook('blocked-on-network/async_lookup'), 'sockets', (text) =>
      text.replace(/^tcp /m, 'unix fd=1 ESTAB 0 0 *:900 /run/systemd/journal/stdout:901 u_str ino:900\ntcp '),
    );
    expect(firstFinding(verdictOn(blockedOnNetwork, look, probes)).confidence).toBe(0.45);
  });

  it('a poll of one unanswered connection that ends and begins again', () => {
    const finding = firstFinding(judge('curl'));
    expect(finding.confidence).toBe(0.4);
    expect(finding.title).toMatch(/again and again with a timeout of \S+ s$/);
    expect(finding.fixes[0]?.code).not.toContain('socket.create_connection');
  });

  it('a wait on a unix socket, of which no bytes are counted', () => {
    const look = changedLook(loadLook('blocked-on-network/query_socket'), 'sockets', (text) =>
      text.replace('ESTAB 0 768', 'ESTAB 0 0'),
    );
    const finding = firstFinding(verdictOn(blockedOnNetwork, look, probes));
    expect(finding.confidence).toBe(0.45);
    expect(finding.summary).toContain('does not count what goes over unix sockets');
    expect(finding.summary).not.toContain('never got a byte');
  });

  it.each([
    [
      'serves others',
      (text: string) => text.replace(/^tcp /m, 'tcp fd=90 LISTEN 0 5 0.0.0.0:80 0.0.0.0:* ino:9\ntcp '),
    ],
    [
      'has another connection',
      (text: string) =>
        text.replace(
          /^tcp /m,
          'tcp fd=9 ESTAB 0 0 10.0.0.1:50000 10.0.0.2:80 ino:9 <-> bytes_sent:1 bytes_acked:2 bytes_received:5 lastsnd:9 lastrcv:2\ntcp ',
        ),
    ],
    [
      'was spoken to last',
      (text: string) =>
        text.replace(/bytes_sent:/g, 'bytes_received:4 bytes_sent:').replace(/lastrcv:\d+/g, 'lastrcv:1'),
    ],
    ['talks to a broker', (text: string) => text.replace(/(127\.0\.0\.1:\d+) 127\.0\.0\.1:\d+/, '$1 127.0.0.1:6379')],
  ])('no loop that %s', (_, change) => {
    const look = changedLook(loadLook('blocked-on-network/async_lookup'), 'sockets', change);
    expect(verdictOn(blockedOnNetwork, look, probes).verdict).toBe('clear');
  });

  it('no loop that reads or writes anything', () => {
    const look = changedLook(loadLook('blocked-on-network/async_lookup'), 'sample', (text) =>
      text.replace('io: rchar 0', 'io: rchar 12'),
    );
    expect(verdictOn(blockedOnNetwork, look, probes).verdict).toBe('clear');
  });
});

it('fires for a question that the other side of a unix socket has not even read', () => {
  const finding = firstFinding(judge('query_socket'));
  expect(finding.confidence).toBe(0.6);
  expect(finding.summary).toContain('the other side has not read it');
});

describe('a limit of minutes', () => {
  it('counts nearly as none', () => {
    const finding = firstFinding(judge('patient_query'));
    expect(finding.confidence).toBe(0.6);
    expect(finding.title).toContain('with a timeout of 15 min');
  });

  it('is a hint when somebody may wait for its end', () => {
    const look = changedLook(loadLook('blocked-on-network/patient_query'), 'sample', (text) =>
      text.replace(/0xdbba0/g, '0xea60'),
    );
    expect(firstFinding(verdictOn(blockedOnNetwork, look, probes)).confidence).toBe(0.45);
  });
});

describe('is clear', () => {
  it.each(['idle_server', 'busy_server', 'asyncio_server', 'thread_pool', 'child_waiter', 'consumer'])(
    'for healthy %s',
    (name) => {
      const verdict = verdictOn(blockedOnNetwork, loadLook(`healthy/${name}`), probes);
      expect(verdict.verdict).toBe('clear');
    },
  );

  it('for a server that waits for the next request of a client of its own', () => {
    // The kernel counts the SYN of the side that connected among its acknowledged bytes; without that one it is the server's.
    const look = changedLook(loadLook('blocked-on-network/ledger_client'), 'sockets', (text) =>
      text.replace(/bytes_acked:(\d+)/g, (_, number: string) => `bytes_acked:${Number(number) - 1}`),
    );
    expect(verdictOn(blockedOnNetwork, look, probes).verdict).toBe('clear');
  });

  it('when bytes lie there to be read', () => {
    const look = changedLook(loadLook('blocked-on-network/ledger_client'), 'sockets', (text) =>
      text.replace(/ESTAB 0 0/g, 'ESTAB 12 0'),
    );
    expect(verdictOn(blockedOnNetwork, look, probes).verdict).toBe('clear');
  });

  it('when the thread was in the call for part of the window only', () => {
    const look = changedLook(loadLook('blocked-on-network/price_fetcher'), 'sample', (text) =>
      text.replace(
        /in recvfrom (\d+) times/,
        (_, times: string) => `in recvfrom ${Math.floor(Number(times) / 2)} times`,
      ),
    );
    expect(verdictOn(blockedOnNetwork, look, probes).verdict).toBe('clear');
  });
});

describe('cannot tell', () => {
  it('without a window', () => {
    expect(judge('price_fetcher', ['sample'])).toMatchObject({ verdict: 'cannot-tell', wants: ['sample'] });
  });

  it('when the waits could not be read', () => {
    const look = changedLook(loadLook('blocked-on-network/price_fetcher'), 'sample', (text) =>
      text.replace(/in \w+ (\d+) times, last .*$/gm, 'in an unreadable system call $1 times'),
    );
    expect(verdictOn(blockedOnNetwork, look, probes)).toMatchObject({
      verdict: 'cannot-tell',
      why: expect.stringContaining('root'),
    });
  });
});

describe('what a wait is for', () => {
  const stack = (...frames: PythonFrame[]) => ({ count: 60, frames });
  const socket = frame('SocketIO.readinto', '/usr/lib/python3.11/socket.py');
  const http = frame('HTTPResponse._read_status', '/usr/lib/python3.11/http/client.py');

  it('an answer, when a client library that takes turns is in it', () => {
    expect(purposeOf(stack(socket, http, frame('fetch', '/srv/a.py')))).toMatchObject({
      kind: 'answer',
      library: 'http.client',
    });
  });

  it('messages, when the library or the program says so', () => {
    const redis = '/usr/lib/python3/dist-packages/redis/';
    const read = frame('Connection.read_response', `${redis}connection.py`);
    const ask = frame('Redis.execute_command', `${redis}client.py`);
    expect(purposeOf(stack(socket, read, ask, frame('ListCommands.blpop', `${redis}commands/core.py`))).kind).toBe(
      'messages',
    );
    expect(purposeOf(stack(socket, read, ask, frame('BasicKeyCommands.get', `${redis}commands/core.py`))).kind).toBe(
      'answer',
    );
    expect(purposeOf(stack(socket, http, frame('long_poll', '/srv/a.py'))).kind).toBe('messages');
    expect(purposeOf(stack(frame('consume', '/srv/a.py'))).kind).toBe('messages');
  });

  it('requests, when a server library waits', () => {
    const server = frame('BaseHTTPRequestHandler.handle_one_request', '/usr/lib/python3.11/http/server.py');
    expect(purposeOf(stack(socket, server)).kind).toBe('requests');
    expect(purposeOf(stack(socket, http, frame('do_GET', '/srv/a.py'), server)).kind).toBe('answer');
  });

  it('something asked for, by the names of the program’s own functions', () => {
    expect(purposeOf(stack(frame('fetch_price', '/srv/a.py'))).kind).toBe('asking');
    expect(purposeOf(stack(frame('main', '/srv/a.py'))).kind).toBe('unknown');
  });
});
