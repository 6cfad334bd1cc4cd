import type { Duplex } from 'node:stream';

/** As much of a client of ioredis, or of BullMQ's around one, as this takes. */
interface Client {
  readonly status: string;
  /** A new one after each time that it was lost. */
  readonly stream?: Duplex;
  /** Of a cluster. */
  nodes?(): readonly Client[];
  on(event: 'connect', listener: () => void): unknown;
  on(event: '+node', listener: (node: Client) => void): unknown;
}

const holdBack = (stream: Duplex | undefined): void => {
  if (stream === undefined) return;
  const write = stream.write.bind(stream) as (...args: unknown[]) => boolean;
  let held = false;
  const release = () => {
    held = false;
    stream.uncork();
  };
  const together = (...args: unknown[]): boolean => {
    if (!held) {
      held = true;
      stream.cork();
      process.nextTick(release);
    }
    return write(...args);
  };
  Object.assign(stream, { write: together });
};

/**
 * Has a client send what it is asked in one turn of the event loop at once: one write for the system and one read for Redis instead
 * of one for each command. Nothing comes later for it, as nothing else is done between the last command of a turn and its end.
 */
export const sendTogether = (client: Client): void => {
  if (client.nodes !== undefined) {
    client.on('+node', sendTogether);
    client.nodes().forEach(sendTogether);
    return;
  }
  client.on('connect', () => holdBack(client.stream));
  if (client.status === 'ready') holdBack(client.stream);
};

/** The same for one of BullMQ's consumers, by the connection that does not block. */
export const consumesTogether = (consumer: { getBackend(): { readonly client: Promise<Client> } }): void => {
  consumer.getBackend().client.then(sendTogether, () => undefined);
};
