import { expect, test } from 'vitest';
import { lookFromFar } from './far.ts';

test('the bench of far hosts looks at one, over new connections and warm ones, and tells where the time went', async () => {
  const figures = new Map<string, number>();
  await lookFromFar((_, figure, value) => figures.set(figure, value), { roundTripMs: 40, windowSeconds: 1, rounds: 1 });
  for (const connection of ['new connection', 'warm connection']) {
    for (const part of ['whole look', 'connection and shell', 'identify', 'steps of the window', 'last check']) {
      expect(figures.get(`${connection}, ${part}, 40 ms away`), part).toBeGreaterThan(0);
    }
  }
  expect([...figures.values()].every(Number.isFinite)).toBe(true);
  expect(figures.get('sent to the host, all looks')).toBeGreaterThan(10);
});
