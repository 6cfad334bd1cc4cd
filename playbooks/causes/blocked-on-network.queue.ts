import type { FindingDraft, Fix, Look, Observation } from '../model/index.ts';
import { identify } from '../probes/identify.ts';
import type { SampleData } from '../probes/sample.ts';
import { type Socket, sockets } from '../probes/sockets.ts';
import { listeners, splitAddress } from '../reading/connections.ts';
import { cpuShare, isAccept, isReadiness, isSend, sampledCalls } from '../reading/syscalls.ts';
import { count, duration, list, shellCommand, visible } from '../reading/text.ts';
import type { Wait } from './blocked-on-network.seen.ts';
import { ageOf, peerName, quotesFor, waiterName } from './blocked-on-network.texts.ts';

type Seen<Data> = Extract<Observation<Data>, { seen: true }>;

/** The process's own listening socket that took this connection, when others wait in its queue. */
const crowded = (look: Look, wait: Wait): Socket | null => {
  const { socket, side } = wait.connection;
  if (side !== 'server' || !socket.kind.startsWith('tcp') || wait.guessed) return null;
  const { port } = splitAddress(socket.local);
  const found = listeners(look).filter(
    (each) => each.kind.startsWith('tcp') && each.receiveQueue > 0 && splitAddress(each.local).port === port,
  );
  return found[0] ?? null;
};

/** Relatives of the same name, which may take connections from the same socket. */
const mayShare = (look: Look): boolean => {
  const who = look.see(identify);
  if (!who.seen) return true;
  const { parent, children, siblings, comm } = who.data;
  return [...(parent === null ? [] : [parent]), ...children, ...siblings].some((each) => each.comm === comm);
};

const fixesFor = (wait: Wait): Fix[] => {
  const { peer } = wait.connection;
  const python = wait.python !== null;
  return [
    {
      title: 'Give clients a limited time',
      detail:
        'Set a timeout on each accepted connection before the first read, and close the ones that exceed it. A client that ' +
        'connects and says nothing (a port scanner, a browser that connects ahead, a load balancer) must not hold up the others.',
      code: python
        ? 'class Handler(BaseHTTPRequestHandler):\n    timeout = 10          # socketserver.StreamRequestHandler sets it on the connection\n# or, where accept() is called: connection.settimeout(10)'
        : 'setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, …)   /* on the accepted socket; SO_SNDTIMEO for sending: socket(7) */',
    },
    {
      title: 'Serve more than one client at a time',
      detail: python
        ? 'One thread for each connection keeps a slow client to itself (`http.server.ThreadingHTTPServer`, `socketserver.ThreadingMixIn`), or put a server with workers in front; keep the timeout all the same.'
        : 'A thread or process for each connection, or an event loop, keeps a slow client to itself; keep the timeout all the same.',
    },
    {
      title: `See who ${visible(wait.connection.socket.peer)} is`,
      detail: 'Ending that client, or its connection, lets the server go on at once.',
      code: shellCommand(['ss', '-tnpo', 'src', peer.address, 'and', 'sport', '=', `:${peer.port ?? 0}`]),
    },
  ];
};

/**
 * A server whose threads all wait for clients that do not go on, while other clients wait to be accepted: the receive
 * queue of a listening socket is the number of connections that wait there, the send queue how many may (ss(8)). Null
 * when any thread could take connections.
 */
export const queueBehind = (look: Look, sampled: Seen<SampleData>, waits: readonly Wait[]): FindingDraft | null => {
  const { data } = sampled;
  const stuck = waits.filter((wait) => crowded(look, wait) !== null);
  const [wait] = stuck;
  const listener = wait === undefined ? null : crowded(look, wait);
  const seen = look.see(sockets);
  if (wait === undefined || listener === null || !seen.seen || data.threadsNotSampled > 0) return null;
  const others = data.threads.filter((thread) => !stuck.some((each) => each.thread === thread));
  const free = others.some(
    (thread) =>
      cpuShare(thread, data.seconds) > 0.02 ||
      (thread.voluntarySwitches ?? 0) > 10 ||
      sampledCalls(thread).some((call) => isAccept(call.name) || isReadiness(call.name)),
  );
  if (free) return null;
  const shared = mayShare(look);
  const waiting = count(listener.receiveQueue, 'other client');
  const where = visible(listener.local);
  const { socket } = wait.connection;
  const whom = list([...new Set(stuck.map(peerName))].slice(0, 5));
  const clients = stuck.length === 1 ? `its client ${whom}` : `${count(stuck.length, 'client')} (${whom})`;
  const does = isSend(wait.call.name) ? 'to take what it sends' : 'to say something';
  const name = waiterName(wait).replace(/^t/, 'T');
  const who = stuck.length === 1 ? `${name} waits` : `${count(stuck.length, 'thread')} wait`;
  return {
    confidence: shared ? 0.82 : 0.92,
    title: `${who} for ${clients} ${does}, and ${waiting} ${listener.receiveQueue === 1 ? 'waits' : 'wait'} on ${where} meanwhile`,
    summary:
      `It was in ${wait.call.name} on ${socket.kind} ${visible(socket.local)} to ${peerName(wait)} (${socket.state}) in all samples of ${duration(data.seconds)}. ${ageOf(wait.connection)} ` +
      `No thread of it takes connections, and ${count(listener.receiveQueue, 'connection')} ${listener.receiveQueue === 1 ? 'lies' : 'lie'} in the queue of ${where} (${listener.sendQueue} may): to them the server hangs until this client goes on or away.` +
      (shared ? ' Inferred: that no relative of it accepts from the same socket.' : ''),
    evidence: [look.quote(seen.evidenceId, listener.at), ...quotesFor(look, sampled, wait)],
    fixes: fixesFor(wait),
  };
};
