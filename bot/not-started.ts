/** The bot cannot start. `message` is a sentence that says what to set right. */
export class BotNotStarted extends Error {
  constructor(sentence: string, cause?: unknown) {
    super(sentence, { cause });
    this.name = 'BotNotStarted';
  }
}
