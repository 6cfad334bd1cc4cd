/** A refusal in Slack's words: an error code, and lines that say what was wrong. */
export class SlackError extends Error {
  readonly code: string;
  readonly problems: string[];

  constructor(code: string, problems: string[] = []) {
    super(code);
    this.code = code;
    this.problems = problems;
  }

  /** The body of the answer. */
  toResponse(): Record<string, unknown> {
    if (this.problems.length === 0) return { ok: false, error: this.code };
    return {
      ok: false,
      error: this.code,
      errors: this.problems,
      response_metadata: { messages: this.problems.map((problem) => `[ERROR] ${problem}`) },
    };
  }
}
