import type { PythonFrame, PythonStack } from '../model/index.ts';
import { isLibraryFile, type PythonThreadView } from '../reading/python.ts';

/** What the Python frames around a network wait say that it is for. */
export type Purpose =
  /** A library that takes turns with the other side: it has asked and waits for the answer. */
  | { readonly kind: 'answer'; readonly frame: PythonFrame; readonly library: string }
  /** The program's own functions are called as if they asked for something. */
  | { readonly kind: 'asking'; readonly frame: PythonFrame }
  /** It waits for the next message, job or event, as consumers and subscribers do. */
  | { readonly kind: 'messages'; readonly frame: PythonFrame }
  /** It waits for the next request of a client of its own. */
  | { readonly kind: 'requests'; readonly frame: PythonFrame }
  | { readonly kind: 'unknown' };

/** Functions of well-known client libraries in which the answer to something sent is awaited: part of the path, function. */
const ANSWERS: readonly (readonly [library: string, file: RegExp, names: RegExp])[] = [
  [
    'http.client',
    /\/(http\/client|httplib)\.py$/,
    /(^|\.)(getresponse|begin|_read_status|read|readinto|readline|_read_chunked|_safe_read|_tunnel|connect)$/,
  ],
  ['urllib', /\/urllib\/request\.py$|\/urllib2\.py$/, /(^|\.)(urlopen|open|do_open)$/],
  ['ssl', /\/ssl\.py$/, /(^|\.)do_handshake$/],
  ['smtplib', /\/smtplib\.py$/, /(^|\.)(getreply|connect)$/],
  ['ftplib', /\/ftplib\.py$/, /(^|\.)(getline|getresp|connect|retrbinary|storbinary)$/],
  ['imaplib', /\/imaplib\.py$/, /(^|\.)(_get_response|_get_line|_command_complete|open|readline)$/],
  ['poplib', /\/poplib\.py$/, /(^|\.)(_getline|_getresp)$/],
  ['nntplib', /\/nntplib\.py$/, /(^|\.)_getline$/],
  ['telnetlib', /\/telnetlib\.py$/, /(^|\.)(read_until|expect|open)$/],
  ['xmlrpc', /\/xmlrpc\/client\.py$|\/xmlrpclib\.py$/, /(^|\.)(request|single_request|parse_response)$/],
  ['socket', /\/socket\.py$/, /(^|\.)create_connection$/],
  ['requests', /\/requests\/(api|sessions|adapters)\.py$/, /./],
  ['urllib3', /\/urllib3\/(connectionpool|connection|response)\.py$/, /./],
  ['aiohttp', /\/aiohttp\/(client|client_reqrep|client_proto|connector)\.py$/, /./],
  ['asyncpg', /\/(asyncpg|aiopg|aiomysql|asyncmy|databases)\//, /./],
  ['httpx', /\/httpx?core\/|\/httpx\//, /./],
  ['psycopg', /\/psycopg2?\//, /./],
  ['pymysql', /\/(pymysql|MySQLdb|mysql\/connector)\//, /./],
  ['pymongo', /\/(pymongo|motor)\//, /./],
  [
    'redis',
    /\/redis\/(client|connection)\.py$/,
    /(^|\.)(execute_command|read_response|_send_command_parse_response|parse_response|connect)$/,
  ],
  ['pymemcache', /\/(pymemcache|memcache|bmemcached)\b/, /./],
  ['ldap', /\/(ldap|ldap3)\//, /./],
  ['paramiko', /\/paramiko\//, /(^|\.)(connect|start_client|exec_command|auth_\w+)$/],
  ['botocore', /\/(botocore|boto3|boto)\//, /./],
  ['grpc', /\/grpc\/_channel\.py$/, /(^|\.)(_blocking|__call__)$/],
];

/** Functions of servers in which the next request of a client is awaited. */
const SERVERS =
  /\/(socketserver|SocketServer|http\/server|BaseHTTPServer|xmlrpc\/server|wsgiref\/\w+|werkzeug\/serving|waitress\/\w+|cheroot\/[\w/]+|gunicorn\/[\w/]+|tornado\/[\w/]+|uvicorn\/[\w/]+|hypercorn\/[\w/]+|aiohttp\/web\w*|asyncore|multiprocessing\/(connection|pool|managers))\.py$/;

/** How functions are called that wait for whatever comes next: queues, subscriptions, streams, events. */
const MESSAGES =
  /(^|[._])(b?[lr]?pop(lpush)?|blpop|brpop\w*|bl?move|bz?m?pop\w*|xread\w*|p?subscribe|pubsub|listen(er)?|consum\w*|drain_events|get_message|handle_message|on_message|next_(job|task|message|event|item|command|work)|(wait|poll)_?(for_?)?(job|task|message|event|work|command|notif\w*)s?|(job|task|message|event|work|command)_?loop|(fetch|get|reserve|receive|recv|read|await|take)_?(job|task|event|work|command)s?|get_messages?|dequeue|subscriber|worker(_?loop)?|run_forever|long_?poll\w*|watch(er)?|events?|tail|heartbeat\w*|keep_?alive\w*|notifications?|idle)($|[._])/i;

/** The same for functions that use a library which takes turns: it is asked for news, and answers when there are some. */
const LONG_POLL =
  /(^|[._])(long_?poll\w*|watch(er)?|subscri\w+|listen(er)?|consum\w*|next_(job|task|message|event|command)|(wait|poll)_(for_)?(jobs?|tasks?|messages?|events?|updates?|commands?)|get_(updates|events|messages))($|[._])/i;

/** How functions are called that ask for something and cannot go on without the answer. */
const ASKING =
  /(^|[._])(request|response|reply|answer|fetch|query|execute|call|invoke|rpc|ask|get|post|put|delete|download|upload|login|auth\w*|connect|handshake|lookup|load|save|charge|pay|quote|price|check|verify|sync|refresh|report|send|submit|commit|health\w*|ping|status)($|[._])|(^|[._])(request|fetch|query|get|post|put|download|upload|call|ask|send|load|lookup|check|verify|submit)_\w+/i;

/** Libraries by which messages come when there are some: web sockets, brokers. */
const MESSAGE_FILES =
  /\/(websockets?|aiokafka|kafka|confluent_kafka|pika|aio_pika|aiormq|kombu|amqp|nats|paho|stomp|zmq|slixmpp|socketio|engineio)\/|\/aiohttp\/(client_ws|web_ws)\.py$|\/tornado\/websocket\.py$/;

const baseName = (frame: PythonFrame): string => frame.function.replace(/<locals>\./g, '');

const answerIn = (frame: PythonFrame): string | null =>
  ANSWERS.find(([, file, names]) => file.test(frame.file) && names.test(frame.function))?.[0] ?? null;

/**
 * What a wait is for, from the innermost frame outwards: messages and answers are told by the frames nearest to the wait,
 * so the first one that says something decides.
 */
export const purposeOf = (stack: PythonStack): Purpose => {
  let library: { frame: PythonFrame; library: string } | null = null;
  for (const frame of stack.frames) {
    const name = baseName(frame);
    if (!isLibraryFile(frame.file) && library !== null) {
      if (LONG_POLL.test(name)) return { kind: 'messages', frame };
      break;
    }
    if (MESSAGES.test(name) || MESSAGE_FILES.test(frame.file)) return { kind: 'messages', frame };
    const found = answerIn(frame);
    if (found !== null) library = { frame, library: found };
    else if (SERVERS.test(frame.file) && library === null) return { kind: 'requests', frame };
  }
  if (library !== null) return { kind: 'answer', ...library };
  for (const frame of stack.frames) {
    if (isLibraryFile(frame.file)) {
      if (SERVERS.test(frame.file)) return { kind: 'requests', frame };
      continue;
    }
    const name = baseName(frame);
    if (MESSAGES.test(name)) return { kind: 'messages', frame };
    if (ASKING.test(name)) return { kind: 'asking', frame };
  }
  return { kind: 'unknown' };
};

/** The stack that a thread was in for (nearly) all of its samples, or null when it moved. */
export const steadyStack = (thread: PythonThreadView): PythonStack | null => {
  const first = thread.stacks[0];
  return first !== undefined && first.count >= 0.9 * (thread.samples + thread.missed) ? first : null;
};
