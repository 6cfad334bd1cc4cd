import { readdirSync } from 'node:fs';
import type { Report } from '../../playbooks/model/index.ts';
import { loadCauses, loadProbes } from '../../playbooks/registry.ts';
import { judgementOn, LOOKS, loadLook, lookNames } from './record-look.ts';
import { sickReport } from './reports.ts';

const [causes, probes] = await Promise.all([loadCauses(), loadProbes()]);

/** The names of all recorded looks: `busy-loop/cursor`, `healthy/idle_server`, … */
export const recordedNames = (): string[] => readdirSync(LOOKS).sort().flatMap(lookNames);

/** What the rules come to for a recorded look, as a report. */
export const recordedReport = (name: string): Report => {
  const look = loadLook(name);
  const { findings, ruledOut, cannotTell } = judgementOn(look, probes, causes);
  return {
    id: `r-${name.replace('/', '-')}`,
    target: { ...sickReport.target, pid: look.recorded.pid, startTime: look.recorded.startTime },
    playbook: 'triage',
    startedAt: new Date(look.recorded.startedAt).toISOString(),
    seconds: look.recorded.windowSeconds,
    findings: [...findings],
    ruledOut: [...ruledOut],
    cannotTell: cannotTell.map(({ cause, why }) => ({ cause, why })),
    caveats: [],
    impact: { longestStallMs: 0, steps: [] },
    evidence: look.evidence.map(({ id, probe, command, exit, seconds, stdout }) => ({
      id,
      probe,
      command,
      exit,
      seconds,
      bytes: stdout.length,
      truncated: false,
    })),
  };
};
