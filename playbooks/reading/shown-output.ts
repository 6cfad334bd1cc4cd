import { type Evidence, evidenceLines, type Observation, type Probe, type ShownOutput } from '../model/index.ts';
import { clip, visible } from './text.ts';

/** What a message shows of a tool's output; the rest is in its file. */
const MOST_LINES = 30;
const MOST_COLUMNS = 200;
const MOST_TEXT = 2_500;

const NOT_RUN: Observation<never> = { seen: false, reason: 'not-run', why: 'it was no part of this look' };

/** Lines of our own scripts, which say how the tool was run, and empty ones. */
const BESIDE = /^(?:== .*|\s*|end)$/;

/** The output itself; where there is nothing else, what the scripts said. */
const outputOf = (lines: readonly string[]): readonly string[] => {
  const said = lines.filter((line) => !BESIDE.test(line));
  return said.length > 0 ? said : lines.filter((line) => line.trim() !== '');
};

/** As many of the first lines as a message takes, at least one. */
const beginning = (lines: readonly string[]): string[] => {
  const shown: string[] = [];
  let used = 0;
  for (const line of lines.slice(0, MOST_LINES)) {
    const text = clip(line.split('\t').map(visible).join('    '), MOST_COLUMNS);
    used += text.length + 1;
    if (used > MOST_TEXT) break;
    shown.push(text);
  }
  return shown;
};

/**
 * What the probe that was asked for said: its own preview, or the beginning of its output; else the reason why there is
 * nothing. Pure.
 */
export const shownOutput = (
  id: string,
  probes: ReadonlyMap<string, Probe>,
  evidence: readonly Evidence[],
  observations: ReadonlyMap<string, Observation<unknown>>,
): ShownOutput => {
  const seen = observations.get(id);
  const all = evidence.findLast((each) => each.probe === id);
  const lines = outputOf(all === undefined ? [] : evidenceLines(all));
  const base = { probe: id, evidenceId: all?.id ?? null, total: lines.length };
  if (seen === undefined || !seen.seen) {
    const why = seen?.why ?? `${id} was no part of this look`;
    return { ...base, why, lines: [], summary: false };
  }
  const see = <Other>(probe: Probe<Other>) => (observations.get(probe.id) ?? NOT_RUN) as Observation<Other>;
  const preview = probes.get(id)?.preview?.(seen.data, see) ?? [];
  const why = seen.partly.length === 0 ? null : seen.partly.join('; ');
  return { ...base, why, lines: beginning(preview.length > 0 ? preview : lines), summary: preview.length > 0 };
};
