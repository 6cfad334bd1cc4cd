import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { shellText, withoutComments } from '../../playbooks/shell-text.ts';

const root = path.join(import.meta.dirname, '../..');

it('is one text, which does what the parts do together', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'straceback-shell-'));
  try {
    mkdirSync(path.join(folder, 'say'));
    writeFileSync(path.join(folder, 'say.sh'), `who=$1\n. "\${0%/*}/say/words.sh"\nsay # aloud\n`);
    writeFileSync(path.join(folder, 'say/words.sh'), '# Why.\nsay() {\n  # how\n  echo "$who\'s # $\'$&"\n}\n');
    const text = shellText(path.join(folder, 'say.sh'));
    const sent = withoutComments(text);
    expect(sent).toBe('who=$1\nsay() {\n  echo "$who\'s # $\'$&"\n}\nsay # aloud\n');
    const said = execFileSync('sh', [path.join(folder, 'say.sh'), 'x'], { encoding: 'utf8' });
    for (const whole of [text, sent]) {
      expect(execFileSync('sh', ['-s', 'x'], { input: whole, encoding: 'utf8' })).toBe(said);
    }
    rmSync(path.join(folder, 'say/words.sh'));
    expect(() => shellText(path.join(folder, 'say.sh'))).toThrow(/words\.sh/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it.each(['workers/ssh/runner.sh', 'infra/host/serve.sh', 'playbooks/probes/identify.sh'])('%s is whole', (name) => {
  const text = shellText(path.join(root, name));
  expect(text).not.toMatch(/^\. "\$\{0/m);
  for (const whole of [text, withoutComments(text)]) execFileSync('sh', ['-n'], { input: whole });
});
