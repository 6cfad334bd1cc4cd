import { describe, expect, it } from 'vitest';
import { examine, expectFinding, expectHealthy, pythons, startStanding } from '../../support/incident.ts';

const HERE = 'gc-disabled-cycles';

const finding = async (program: string, python: string, atLeast: number) => {
  const { pid } = await startStanding(`${HERE}/${program}.py`, { python });
  return expectFinding(await examine(pid), HERE, atLeast);
};

describe.each(pythons('3.8.18', '3.13.0'))('%s', (python) => {
  it('proves that orders and their items are garbage, and finds who switched the collector off', async () => {
    const found = await finding('order_tree', python, 0.9);
    expect(found.title).toMatch(
      /Cyclic garbage piles up: .*`__main__\.(Item|Order)`.* is disabled \(`.*order_tree\.py:10`\)/,
    );
    expect(found.evidence.map((quote) => quote.text).join('\n')).toMatch(
      /all references to them are from each other: .*Order/,
    );
    expect(found.fixes[0]?.code).toContain('gc.enable()');
    expect(found.fixes[1]?.code).toMatch(/class (Item|Order):/);
  });
});

describe.each(pythons('3.12.1').slice(-1))('%s', (python) => {
  it('sees a threshold of 0 for what it is', async () => {
    const found = await finding('render_pool', python, 0.9);
    expect(found.title).toMatch(/first threshold is 0.*render_pool\.py:13/);
  });

  it('sees a threshold that is never reached', async () => {
    const found = await finding('mail_parser', python, 0.6);
    expect(found.title).toMatch(/`__main__\.Part`.*first threshold is 50,000,000/);
  });
});

describe.each(pythons('2.7.18').slice(1))('%s', (python) => {
  it('sees what Python 2 keeps in gc.garbage', async () => {
    const found = await finding('legacy_forms', python, 0.9);
    expect(found.title).toMatch(/^gc\.garbage keeps [\d,]+ uncollectable objects, [\d,]+ more/);
    expect(found.summary).toContain('__main__.Form');
  });
});

describe('what looks alike', () => {
  it.each(['healthy_no_cycles', 'healthy_collected'])('%s is given no fault', async (program) => {
    const { pid } = await startStanding(`${HERE}/${program}.py`);
    expectHealthy(await examine(pid));
  });
});
