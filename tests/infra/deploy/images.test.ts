import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { validate } from 'dockerfile-utils';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { type Built, takeSteps } from './docker-steps.ts';

const ROOT = path.join(import.meta.dirname, '../../..');
const DOCKERFILE = path.join(ROOT, 'infra/deploy/Dockerfile');

test('a linter has nothing to say about the Dockerfile', () => {
  expect(
    validate(readFileSync(DOCKERFILE, 'utf8')).map(({ message, range }) => `${range.start.line + 1}: ${message}`),
  ).toEqual([]);
});

/** Whether this machine can lay a view over its own files: as root, with overlayfs. */
const canOverlay = (): boolean => {
  if (process.getuid?.() !== 0) return false;
  const folder = mkdtempSync(path.join(tmpdir(), 'straceback-overlay-'));
  try {
    for (const each of ['upper', 'work', 'root']) execFileSync('mkdir', [path.join(folder, each)]);
    const layers = `lowerdir=/,upperdir=${folder}/upper,workdir=${folder}/work`;
    execFileSync('mount', ['-t', 'overlay', 'overlay', '-o', layers, `${folder}/root`], { stdio: 'ignore' });
    execFileSync('umount', [`${folder}/root`]);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

describe.skipIf(!canOverlay())('the images, their steps taken one by one', () => {
  let built: Built;
  let context: string;

  beforeAll(() => {
    // As .dockerignore has it: what is listed there, from what is committed and what is being worked on.
    context = mkdtempSync(path.join(tmpdir(), 'straceback-context-'));
    const wanted = readFileSync(path.join(ROOT, '.dockerignore'), 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1));
    for (const name of wanted) {
      cpSync(path.join(ROOT, name), path.join(context, name), {
        recursive: true,
        filter: (file) => !/__pycache__|\.env$/.test(file),
      });
    }
    built = takeSteps(DOCKERFILE, context);
  }, 300_000);

  afterAll(() => {
    built?.close();
    rmSync(context, { recursive: true, force: true });
  });

  it.each(['bot', 'worker'])('%s runs as nobody in particular, from files that it cannot change', (stage) => {
    const who = built.run(stage, [
      'sh',
      '-c',
      'id -u; id -g; touch /opt/straceback/dist/x 2>&1; touch /var/lib/straceback/x && echo kept',
    ]);
    expect(who.stdout.split('\n').slice(0, 2)).toEqual(['10001', '10001']);
    expect(who.stdout).toMatch(/Permission denied/);
    expect(who.stdout).toMatch(/kept/);
    const help = built.run(stage, ['node', '/opt/straceback/dist/straceback.js', 'help']);
    expect(help.stderr).toBe('');
    expect(help.stdout).toContain('straceback worker');
    // Every library is there: each side is loaded as far as its first complaint about what is not configured.
    const started = built.run(stage, [
      'env',
      'STRACEBACK_CONFIG=',
      'node',
      '/opt/straceback/dist/straceback.js',
      stage,
      '--config',
      '/nowhere.yaml',
    ]);
    expect(started.status).toBe(2);
    expect(started.stderr).toMatch(/nowhere\.yaml: cannot be read/);
  });

  it('are small, and have neither tests nor the sandbox nor tools of development', () => {
    const listed = built.run('worker', [
      'sh',
      '-c',
      'ls /opt/straceback /opt/straceback/dist /opt/straceback/dist/infra /opt/straceback/node_modules',
    ]);
    expect(listed.stdout).not.toMatch(/^(tests|sandbox|vitest|typescript|biome|playwright-core)$/m);
    expect(built.size('worker', 'opt/straceback')).toBeLessThan(250 * 1024 * 1024);
  });

  it('the worker has the client that transport: openssh starts', () => {
    expect(built.run('worker', ['ssh', '-V']).stderr).toMatch(/OpenSSH/);
  });
});

const SYSTEMD = '/usr/bin/systemd-analyze';
test.skipIf(!existsSync(SYSTEMD))('systemd takes the unit, and finds it little exposed', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'straceback-unit-'));
  try {
    const unit = readFileSync(path.join(ROOT, 'infra/deploy/systemd/straceback@.service'), 'utf8');
    const file = path.join(folder, 'straceback@.service');
    // It is looked at where node is another one's and the program is not installed.
    writeFileSync(file, unit.replace('/usr/bin/node', process.execPath).replace(/^Documentation=.*$/m, ''));
    expect(execFileSync(SYSTEMD, ['verify', file], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })).toBe('');
    const exposure = execFileSync(SYSTEMD, ['security', '--offline=true', '--threshold=20', file], {
      encoding: 'utf8',
    });
    expect(exposure).toMatch(/Overall exposure level/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
