import { cpus, loadavg } from 'node:os';

/**
 * `npm run bench [NAME]`: measures, and prints one JSON object a line: {bench, figure, value, unit}. Figures are for
 * reading and comparing within one run; nothing is asserted. After each bench the same stands as a table of Markdown, with
 * when and on what it was measured.
 */
const BENCHES: Readonly<Record<string, () => Promise<{ run: (print: Print) => Promise<void> }>>> = {
  triage: () => import('./triage.ts'),
  stall: () => import('./stall.ts'),
  census: () => import('./census.ts'),
  reader: () => import('./reader.ts'),
  alerts: () => import('./alerts.ts'),
  flood: () => import('./flood.ts'),
  redact: () => import('./redact.ts'),
  looks: () => import('./looks.ts'),
  queue: () => import('./queue.ts'),
  storm: () => import('./storm.ts'),
  far: () => import('./far.ts'),
};

/** Prints one figure. */
export type Print = (bench: string, figure: string, value: number, unit: string) => void;

const rows: string[] = [];

const print: Print = (bench, figure, value, unit) => {
  const rounded = Math.round(value * 1000) / 1000;
  process.stdout.write(`${JSON.stringify({ bench, figure, value: rounded, unit })}\n`);
  rows.push(`| ${figure} | ${rounded} | ${unit} |`);
};

/** What was printed since the last table. */
const table = (name: string): string => {
  const [processor] = cpus();
  const busy = `load ${loadavg()[0]?.toFixed(1)} at the end`;
  const where = `${cpus().length} cores (${processor?.model ?? 'unknown'}), Node ${process.versions.node}, ${busy}`;
  const head = [`\`npm run bench ${name}\`, ${new Date().toISOString().slice(0, 16)}Z, ${where}:`, ''];
  return ['', ...head, '| figure | value | unit |', '|---|---|---|', ...rows.splice(0), '', ''].join('\n');
};

const asked = process.argv[2];
if (asked !== undefined && BENCHES[asked] === undefined) {
  process.stderr.write(`There is no bench ${asked}; there are ${Object.keys(BENCHES).join(', ')}.\n`);
  process.exit(2);
}
for (const [name, load] of Object.entries(BENCHES)) {
  if (asked !== undefined && asked !== name) continue;
  await (await load()).run(print);
  process.stdout.write(table(name));
}
