/** How long whoever asks waits for each of the things that a far end may never do. */
export interface ShellLimits {
  /** Milliseconds for connection and login. */
  readonly connectMs: number;
  /** Milliseconds for the runner to say that it is ready. */
  readonly readyMs: number;
  /** Milliseconds beyond a step's own limits after which its answer is no longer waited for. */
  readonly graceMs: number;
  /** Milliseconds for the host to clear up when the shell is closed. */
  readonly closeMs: number;
}

export const SHELL_LIMITS: ShellLimits = { connectMs: 15_000, readyMs: 20_000, graceMs: 6_000, closeMs: 8_000 };
