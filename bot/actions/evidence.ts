import type { Report } from '../../playbooks/model/index.ts';
import { duration } from '../../playbooks/reading/text.ts';
import { headline, type ReportPart } from '../../playbooks/report-parts.ts';
import { defineAction } from '../action.ts';
import { postWhole } from '../followups/last-look.shared.ts';
import { AboutLook } from '../thread/report-buttons.ts';
import { GONE, reportOf, saidBy } from './look.shared.ts';

/** One line for each piece of evidence, and how to read it whole. */
const evidenceParts = ({ evidence }: Report): ReportPart[] => [
  { kind: 'heading', text: 'Evidence' },
  ...evidence.map(({ id, probe, pid, command, exit, seconds, bytes, truncated }): ReportPart => {
    const of = pid === undefined ? '' : ` of process ${pid}`;
    const ended = exit === null ? 'ended by its limit' : `exit ${exit}`;
    const size = `${bytes.toLocaleString('en-US')} bytes${truncated ? ', cut' : ''}`;
    const text = `${id} ${probe}${of}: \`${command.replaceAll('`', "'")}\` (${ended}, ${duration(seconds)}, ${size})`;
    return { kind: 'item', text };
  }),
  {
    kind: 'note',
    text: 'What the findings quote is a file above; for the rest, say "raw" and the probe’s name in this thread.',
  },
];

/** What the look has seen: its steps, and where to read each whole. */
export const evidence = defineAction({
  action: 'evidence',
  data: AboutLook,
  run: async (data, pressed, bot) => {
    const report = await reportOf(data, bot);
    if (report === null) return GONE;
    await postWhole(saidBy(pressed, data), bot, evidenceParts(report), `Evidence: ${headline(report)}`, 'evidence.txt');
    return null;
  },
});
