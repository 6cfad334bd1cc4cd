import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, test } from 'vitest';

/** The built program, as `npm run sandbox` runs it; `npm test` builds it first. */
const ENTRY = path.resolve(import.meta.dirname, '../dist/straceback.js');

const start = (...words: string[]) => {
  const child = spawn(process.execPath, [ENTRY, 'sandbox', ...words], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines: string[] = [];
  const reader = createInterface({ input: child.stdout });
  reader.on('line', (line) => lines.push(line));
  return { child, lines, reader, ended: once(child, 'exit') };
};

/** Processes that carry a mark in their environment, which children inherit. */
const withMark = (mark: string): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return pid !== process.pid && readFileSync(`/proc/${pid}/environ`, 'latin1').includes(mark);
      } catch {
        return false;
      }
    });

describe('the sandbox', () => {
  test('shows one look from the command to the report and ends with 0, with nothing left behind', async () => {
    const mark = `STRACEBACK_TEST_MARK=${process.pid}-${Date.now()}`;
    const [name = '', value = ''] = mark.split('=');
    process.env[name] = value;
    try {
      const { lines, ended } = start('--once');
      const [code] = await ended;
      expect(code, lines.join('\n')).toBe(0);
      expect(lines.join('\n')).toMatch(/Cause: busy-loop/);
      expect(lines.join('\n')).toMatch(/fill_from_pool/);
      expect(withMark(mark)).toEqual([]);
    } finally {
      delete process.env[name];
    }
  });

  test('stays until Ctrl-C, and then ends all that it started', async () => {
    const mark = `STRACEBACK_TEST_MARK=${process.pid}-${Date.now()}`;
    const [name = '', value = ''] = mark.split('=');
    process.env[name] = value;
    try {
      const { child, reader, ended } = start();
      for await (const line of reader) if (line.startsWith('Ctrl-C ends everything')) break;
      expect(withMark(mark).length).toBeGreaterThan(4);
      child.kill('SIGINT');
      await ended;
      expect(withMark(mark)).toEqual([]);
    } finally {
      delete process.env[name];
    }
  });
});
