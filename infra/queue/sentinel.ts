import { SentinelConnector } from 'ioredis';

/**
 * Asks sentinels for the master. ioredis (6.0, connectors/SentinelConnector) goes on listening, for a connection that is lost, whether the
 * sentinels name a new master, and breaks off its own next attempt when they do, after which it never makes another one: in a
 * fail-over by a crash that is the rule, and the wider TLS makes the gap the surer. So the ears of the last attempt are closed
 * before each one.
 */
export class SteadySentinelConnector extends SentinelConnector {
  /** What was ended last. */
  #ended: readonly unknown[] = [];

  constructor(options: unknown) {
    super(typeof options === 'object' && options !== null ? options : {});
    this.#hearSentinels();
  }

  override connect(...words: Parameters<SentinelConnector['connect']>): ReturnType<SentinelConnector['connect']> {
    // Its stream has closed by now: only the ears are left.
    Reflect.deleteProperty(this, 'stream');
    this.disconnect();
    return super.connect(...words);
  }

  /** A former master refuses command after command, and each time it is told to end the connection. */
  override disconnect(): void {
    const open: readonly unknown[] = [this.stream, Reflect.get(this, 'failoverDetector')];
    if (!this.connecting && open.every((each, index) => each === this.#ended[index])) return;
    super.disconnect();
    this.#ended = open;
  }

  /** A sentinel that is away is no trouble as long as another one answers; ioredis would print each attempt to reach it. */
  #hearSentinels(): void {
    const name = 'connectToSentinel';
    const open: unknown = Reflect.get(this, name);
    if (typeof open !== 'function') return;
    Reflect.set(this, name, (...words: unknown[]): unknown => {
      const client = Reflect.apply(open, this, words);
      client.on('error', () => undefined);
      return client;
    });
  }
}
