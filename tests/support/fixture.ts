import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { Evidence, type Parsed, type Probe, type StepContext, StepEnd } from '../../playbooks/model/index.ts';
import { evidenceFrom, knownHere } from './run-probe.ts';

const FIXTURES = fileURLToPath(new URL('../fixtures/', import.meta.url));

/**
 * `tests/fixtures/PROBE/CASE/` holds the bytes of one run: `stdout`, `stderr` when there was any, and `capture.json`,
 * which says how they came to be.
 */
export const Capture = z.strictObject({
  /** `recorded`: a real run wrote it. `written`: by hand, after the format that `how` names. */
  source: z.enum(['recorded', 'written']),
  /** Tool and version, distribution, and what the process was doing. */
  how: z.string().min(20),
  pid: z.number().int(),
  exit: z.number().int().nullable().default(0),
  end: StepEnd.default('exited'),
  options: z.record(z.string(), z.unknown()).default({}),
});
export type Capture = z.infer<typeof Capture>;

/** Names of all recorded runs of a probe. */
export const fixtureNames = (probe: string): string[] => readdirSync(`${FIXTURES}${probe}`).sort();

/** One recorded run. Throws when it is incomplete. */
export const loadFixture = (probe: string, name: string): { capture: Capture; evidence: Evidence } => {
  const folder = `${FIXTURES}${probe}/${name}/`;
  const capture = Capture.parse(JSON.parse(readFileSync(`${folder}capture.json`, 'utf8')));
  const stderr = existsSync(`${folder}stderr`) ? readFileSync(`${folder}stderr`) : new Uint8Array();
  const { exit, end } = capture;
  return { capture, evidence: evidenceFrom(probe, readFileSync(`${folder}stdout`), { stderr, exit, end }) };
};

/** The step in which a recorded run happened. */
export const fixtureStep = (capture: Capture): StepContext => ({
  target: { host: 'local', pid: capture.pid, startTime: '1' },
  windowSeconds: 1,
  known: knownHere(capture.pid),
  options: capture.options,
  keepFolder: '/tmp',
});

/** What a probe's parser reads from a recorded run; held against the probe's own schema. */
export const parseFixture = <Data>(probe: Probe<Data>, name: string): Parsed<Data> => {
  const { capture, evidence } = loadFixture(probe.id, name);
  const parsed = probe.parse(Evidence.parse(evidence), fixtureStep(capture));
  if (parsed.ok) probe.data.parse(parsed.data);
  return parsed;
};
