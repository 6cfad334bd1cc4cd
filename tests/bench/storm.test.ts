import { expect, test } from 'vitest';
import { storm } from './storm.ts';

test('a small storm is taken, counted and shown in few threads, and its figures are printed', async () => {
  const figures = new Map<string, number>();
  await storm((_bench, figure, value) => void figures.set(figure, value), 'none', 30, 1_000);
  const of = (figure: string) => figures.get(`history none: ${figure}`) ?? -1;
  expect(of('acknowledged at once') + of('acknowledged when sent again')).toBe(30);
  expect(of('counted in their groups')).toBe(30);
  // Ten groups in a minute have threads of their own; the others share one. The minute may have ended in between.
  expect(of('threads')).toBeGreaterThanOrEqual(2);
  expect(of('threads')).toBeLessThanOrEqual(22);
  expect(of('processor time of the bot')).toBeGreaterThan(0);
  expect(of('resident at most')).toBeGreaterThanOrEqual(of('resident afterwards'));
});
