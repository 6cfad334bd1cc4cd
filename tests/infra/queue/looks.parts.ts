/** How a look ends that fails with this sentence. */
export const failure = (sentence: string) =>
  ({ outcome: { kind: 'failure', failure: { code: 'internal', sentence } }, files: [] }) as const;
