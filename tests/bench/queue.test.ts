import { expect, test } from 'vitest';
import { queueCosts } from './queue.ts';

test('the bench of the queue takes every look there and back, and says what it cost', async () => {
  const costs = await queueCosts('looks', 1, 20);
  // Redis counts them: a look cannot be had for fewer than its request, its answer and what is done with both.
  expect(costs.commandsEach).toBeGreaterThan(20);
  expect(costs.memory).toBeGreaterThan(costs.empty);
  for (const figure of Object.values(costs)) expect(Number.isFinite(figure)).toBe(true);
});
