/** `redis-server` cannot be started. `message` is a sentence for a person. */
export class RedisNotStarted extends Error {
  constructor(sentence: string, cause?: unknown) {
    super(sentence, { cause });
    this.name = 'RedisNotStarted';
  }
}
