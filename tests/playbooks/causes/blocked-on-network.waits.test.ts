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
