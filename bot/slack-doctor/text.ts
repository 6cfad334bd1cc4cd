import type { Check } from './check.ts';

/** One line a check: what was found, and what to do where something is wrong. */
export const checksText = (checks: readonly Check[]): string => {
  const bad = checks.filter(({ ok }) => !ok).length;
  const lines = checks.map(
    ({ ok, name, said, todo }) => `${ok ? '✓' : '✗'} ${name}: ${said}${todo === null ? '' : `. ${todo}`}`,
  );
  const end = bad === 0 ? 'All is well.' : `${bad} of ${checks.length} ${bad === 1 ? 'is' : 'are'} not well.`;
  return `${[...lines, end].map((line) => line.replace(/\p{C}/gu, '?')).join('\n')}\n`;
};
