// Runs the embedded PostgreSQL (PGlite) in a thread of its own: its calls do not return before they are done, and the bot has
// to acknowledge within seconds meanwhile. Messages in: {id, sql, parameters}, or {id, close: true}; out: {id, result} or
// {id, error}; first of all {ready: true} or {failed}.
import { parentPort, workerData } from 'node:worker_threads';
import { PGlite } from '@electric-sql/pglite';

/** PostgreSQL's type id of bytea (pg_type.dat). PGlite's own conversion goes byte by byte. */
const BYTEA = 17;

/**
 * Of its 128 MiB of buffers, all of which are touched in time, a history needs few: one connection reads and writes single rows, and
 * the system keeps the files' pages anyway.
 */
const SETTINGS = ['-c', 'shared_buffers=16MB'];

const plain = (error) => ({
  message: error instanceof Error ? error.message : String(error),
  code: error?.code,
});

try {
  const database = await PGlite.create({
    dataDir: workerData.folder,
    startParams: [...PGlite.defaultStartParams, ...SETTINGS],
    serializers: {
      [BYTEA]: (bytes) => `\\x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')}`,
    },
    parsers: { [BYTEA]: (text) => new Uint8Array(Buffer.from(text.slice(2), 'hex')) },
  });
  const answer = async ({ sql, parameters, close }) => {
    if (close) return void (await database.close());
    const { rows, affectedRows = 0 } = await database.query(sql, parameters);
    return { rows, affectedRows };
  };
  // One after the other, in the order in which they came.
  let last = Promise.resolve();
  parentPort.on('message', (message) => {
    last = last
      .then(() => answer(message))
      .then(
        (result) => parentPort.postMessage({ id: message.id, result }),
        (error) => parentPort.postMessage({ id: message.id, error: plain(error) }),
      );
  });
  parentPort.postMessage({ ready: true });
} catch (error) {
  parentPort.postMessage({ failed: plain(error) });
}
