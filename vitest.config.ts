import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    // Tests start real servers and sick processes; the limit is there to end a hang, not to measure.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // On a shared builder a real process may be kept from running for seconds; what fails twice is a fault.
    retry: process.env.CI === undefined ? 0 : 1,
    pool: 'forks',
    maxWorkers: 2,
    reporters: ['default'],
  },
});
