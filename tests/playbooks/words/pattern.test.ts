import { describe, expect, it } from 'vitest';
import { fillIn, fills, joined, readPattern } from '../../../playbooks/words/pattern.ts';

const filled = (pattern: string, text: string) => {
  const values = fills(readPattern(pattern), text);
  return values === null ? null : Object.fromEntries(values);
};

describe('what fills a pattern', () => {
  it('is whole in its brackets', () => {
    expect(filled('process {pid} ({signal})', 'process 1 (SIGABRT)')).toEqual({ pid: '1', signal: 'SIGABRT' });
    expect(filled('process {pid} ({signal})', 'process 1 (SIGABRT) and process 2 (SIGSEGV)')).toBeNull();
    expect(filled('{who} ({state})', 'process 1 (dead (a zombie))')).toEqual({
      who: 'process 1',
      state: 'dead (a zombie)',
    });
  });

  it('may have any brackets in code', () => {
    expect(filled('process {pid} ({command})', 'process 1 (`sh -c "echo )"`)')).toEqual({
      pid: '1',
      command: '`sh -c "echo )"`',
    });
  });
});

describe('pieces beside each other', () => {
  it('are spaced as Chinese is set', () => {
    expect(joined('共有', '3 个')).toBe('共有 3 个');
    expect(joined('共有 ', '3 个')).toBe('共有 3 个');
    expect(joined('8 天', ' 后')).toBe('8 天后');
    expect(joined('（`a.py:3`）', ' 等待')).toBe('（`a.py:3`）等待');
    expect(joined('`f`', '的锁')).toBe('`f` 的锁');
    expect(joined('位于 ', '（主线程）')).toBe('位于（主线程）');
  });

  it('stay as they are where no Chinese is', () => {
    expect(joined('in ', '3 s')).toBe('in 3 s');
    expect(joined('pid', '3')).toBe('pid3');
    expect(joined('a\n', 'b')).toBe('a\nb');
  });

  it('do not change what is inside of them', () => {
    const values = new Map([['name', '`x  检查y`']]);
    expect(fillIn(readPattern('线程{name}已结束'), values)).toBe('线程 `x  检查y` 已结束');
    const name = new Map([['name', ' 检查 ']]);
    expect(fillIn(readPattern('线程 `{name}` 已结束'), name)).toBe('线程 ` 检查 ` 已结束');
  });
});
