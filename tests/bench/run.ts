/**
 * `npm run bench [NAME]`: measures, and prints one JSON object a line: {bench, figure, value, unit}. Figures are for
 * reading and comparing within one run; nothing is asserted.
 */
const BENCHES: Readonly<Record<string, () => Promise<{ run: (print: Print) => Promise<void> }>>> = {
  triage: () => import('./triage.ts'),
  stall: () => import('./stall.ts'),
  census: () => import('./census.ts'),
  reader: () => import('./reader.ts'),
  alerts: () => import('./alerts.ts'),
  flood: () => import('./flood.ts'),
  redact: () => import('./redact.ts'),
};

/** Prints one figure. */
export type Print = (bench: string, figure: string, value: number, unit: string) => void;

const print: Print = (bench, figure, value, unit) =>
  void process.stdout.write(`${JSON.stringify({ bench, figure, value: Math.round(value * 1000) / 1000, unit })}\n`);

const asked = process.argv[2];
if (asked !== undefined && BENCHES[asked] === undefined) {
  process.stderr.write(`There is no bench ${asked}; there are ${Object.keys(BENCHES).join(', ')}.\n`);
  process.exit(2);
}
for (const [name, load] of Object.entries(BENCHES)) {
  if (asked === undefined || asked === name) await (await load()).run(print);
}
