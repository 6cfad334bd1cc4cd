/** A refusal in Slack's words: an error code, and lines that say what was wrong. */
export class SlackError extends Error {
  readonly code: string;
  readonly problems: string[];
  /** Further fields of the answer. */
  readonly more: Readonly<Record<string, unknown>>;

  constructor(code: string, problems: string[] = [], more: Readonly<Record<string, unknown>> = {}) {
    super(code);
    this.code = code;
    this.problems = problems;
    this.more = more;
  }

  /** The body of the answer. */
  toResponse(): Record<string, unknown> {
    if (this.problems.length === 0) return { ok: false, error: this.code, ...this.more };
    return {
      ok: false,
      error: this.code,
      ...this.more,
      errors: this.problems,
      response_metadata: { messages: this.problems.map((problem) => `[ERROR] ${problem}`) },
    };
  }
}
