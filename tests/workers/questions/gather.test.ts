import { describe, expect, it } from 'vitest';
import { viewText } from '../../../workers/prose/view.ts';
import { gather, type Source } from '../../../workers/questions/gather.ts';
import { sickReport } from '../../support/reports.ts';

const TITLES = new Map([['py-stacks', 'Python stacks of all threads']]);

const NOISE = Array.from({ length: 20_000 }, (_, n) => `worker ${n} sleeps in poll, counter ${n * 7}`).join('\n');

const source = (text: string, change: Partial<Source['report']> = {}): Source => ({
  report: { ...sickReport, ...change },
  files: [{ evidenceId: 'E2', probe: 'py-stacks', text }],
});

describe('what a model is shown for a question', () => {
  it('is the newest diagnosis, and of all evidence the lines that it is about', () => {
    const text = `${NOISE}\n\nThread 77123 waits for the mail spool\n  File "/srv/app/spool.py", line 9\n\n${NOISE}`;
    const { view, lines } = gather('why does 77123 not deliver mail?', [source(text)], TITLES);
    const found = view.items.find((item) => item.text.includes('77123'));
    expect(found).toMatchObject({ kind: 'quote' });
    expect(lines.get(found?.id ?? '')).toMatchObject({ evidenceId: 'E2', probe: 'py-stacks' });
    expect(view.items.find(({ id }) => id === found?.of)).toMatchObject({
      kind: 'probe',
      text: 'lines of py-stacks: Python stacks of all threads',
    });
    expect(view.items.filter(({ kind }) => kind === 'finding')).toHaveLength(3);
    expect(view.verdict).toBe('fault');
  });

  it('is bounded, whatever there is', () => {
    for (const text of [NOISE, 'worker '.repeat(500_000), `${'worker\n'.repeat(200_000)}`, '']) {
      const sources = Array.from({ length: 8 }, () => source(text));
      const { view } = gather('what does worker 7 do?', sources, TITLES);
      expect(viewText(view).length).toBeLessThan(16_000);
    }
  });

  it('has ids of its own for every item, over all looks', () => {
    const { view } = gather('which lock is waited for?', [source('a lock'), source('another lock')], TITLES);
    const ids = view.items.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(view.items.some(({ text }) => text === 'another lock')).toBe(true);
  });

  it('has the verdict of a diagnosis, not of one tool’s output after it', () => {
    const shown = { probe: 'lsof', evidenceId: 'E2', why: null, lines: [], summary: false, total: 0 };
    const tool = source('7u REG /run/x', { findings: [], shown });
    const { view } = gather('what is open?', [tool, source('')], TITLES);
    expect(view.verdict).toBe('fault');
    expect(view.items.some(({ kind, id }) => kind === 'finding' && id.endsWith('-2'))).toBe(true);
    expect(gather('what is open?', [tool], TITLES).view.verdict).toBe('unclear');
  });

  it('knows the evidence behind each quote of a finding', () => {
    const { view, lines } = gather('where does on_terminate wait?', [source('')], TITLES);
    const quote = view.items.find(({ kind, text }) => kind === 'quote' && text.includes('on_terminate'));
    expect(lines.get(quote?.id ?? '')).toMatchObject({ evidenceId: 'E4', probe: 'py-bt', lines: [quote?.text] });
  });
});
