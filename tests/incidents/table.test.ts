import { describe, expect, it } from 'vitest';
import type { IncidentLine } from '../support/incident-record.ts';
import { brierScore, incidentsFrom, tableOf } from './table-text.ts';

const look = (id: string, ...found: [string, number][]): IncidentLine => ({
  kind: 'look',
  id,
  test: `test of ${id} | it`,
  file: 'tests/incidents/busy-loop/incident.test.ts',
  found: found.map(([cause, confidence]) => ({ cause, confidence })),
  seconds: Number(id),
  stallMs: 0,
  unhurt: true,
});
const expected = (id: string, cause: string): IncidentLine => ({ kind: 'expected', id, cause });

const LINES: IncidentLine[] = [
  look('1', ['busy-loop', 0.9], ['signal-storm', 0.6]),
  expected('1', 'busy-loop'),
  look('2', ['busy-loop', 0.6]),
  expected('2', 'healthy'),
  look('3'),
  expected('3', 'healthy'),
  look('4', ['healthy', 0.8]),
];

describe('the table of incidents', () => {
  it('holds the first finding against what was expected, and leaves out looks of which nothing was', () => {
    const incidents = incidentsFrom(LINES);
    expect(incidents).toHaveLength(3);
    expect(brierScore(incidents)).toBeCloseTo((0.01 + 0.36) / 2);
    const text = tableOf(incidents);
    expect(text).toContain('3 looks: 2 with the right first finding, 1 false alarms in 2 healthy ones');
    expect(text).toContain('| healthy | 2 | busy-loop 1, nothing 1 |');
    expect(text).toContain('**wrong** busy-loop');
    expect(text).toContain('test of 1 \\| it');
  });

  it('can be empty', () => {
    expect(tableOf([])).toContain('0 looks');
  });
});
