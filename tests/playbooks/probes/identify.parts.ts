import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Parsed } from '../../../playbooks/model/index.ts';
import { IdentifyData, identify } from '../../../playbooks/probes/identify.ts';
import { runProbe } from '../../support/run-probe.ts';

export const isRoot = process.getuid?.() === 0;
export const PYTHON = '/usr/bin/python3';
/** A Python program that does nothing until its input ends. */
export const WAIT = 'import sys; print("ready", flush=True); sys.stdin.read()';

/** A folder of this test's own, removed after it. */
export const scratch = (): string => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'identify-test-')));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
};

/** Identifies a process, as another user when one is named. */
export const look = (pid: number, uid?: number) => runProbe(identify, { pid, known: null, ...(uid ? { uid } : {}) });

/** What was identified; throws when nothing was. */
export const dataOf = (parsed: Parsed<IdentifyData>): IdentifyData => {
  if (!parsed.ok) throw new Error(`${parsed.reason}: ${parsed.why}`);
  return IdentifyData.parse(parsed.data);
};

/** Why nothing was identified; throws when something was. */
export const whyOf = (parsed: Parsed<IdentifyData>): { reason: string; why: string } => {
  if (parsed.ok) throw new Error('it was identified');
  return { reason: parsed.reason, why: parsed.why };
};
