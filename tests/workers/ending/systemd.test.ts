import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { LookFailed } from '../../../playbooks/model/index.ts';
import { toldOfEnd } from '../../../workers/ending/tell.ts';
import { openIn } from '../../support/shells.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'straceback-ending-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** systemctl(1) of a host where systemd runs, which cannot be had on every machine: what `show` prints of three services. */
const SHOW = `Type=oneshot
Id=apt-daily.service
MainPID=0
ExecMainPID=4194001
ExecMainCode=1
ExecMainStatus=0
ExecMainExitTimestamp=Sat 2024-05-04 06:00:01 UTC
Result=success
ActiveState=inactive
NRestarts=0

Id=shop.service
MainPID=0
ExecMainPID=4194002
ExecMainCode=2
ExecMainStatus=9
ExecMainExitTimestamp=Sat 2024-05-04 10:11:12 UTC
Result=oom-kill
ActiveState=failed
NRestarts=0

Id=till.service
MainPID=0
ExecMainPID=4194003
ExecMainCode=1
ExecMainStatus=3
ExecMainExitTimestamp=Sat 2024-05-04 10:12:00 UTC
Result=exit-code
ActiveState=failed
NRestarts=5
`;

const endOf = async (pid: number): Promise<string> => {
  writeFileSync(path.join(folder, 'show.txt'), SHOW);
  writeFileSync(path.join(folder, 'systemctl'), `#!/bin/sh\ncat ${folder}/show.txt\n`, { mode: 0o755 });
  const shell = await openIn('sh', ['-s'], `${folder}:${process.env.PATH ?? ''}`);
  try {
    const told = await toldOfEnd(new LookFailed('no-such-process', 'None.'), { host: 'web-7', pid }, shell);
    return told instanceof LookFailed ? told.message : String(told);
  } finally {
    await shell.close();
  }
};

test('the service whose main process it was says how it ended', async () => {
  expect(await endOf(4_194_002)).toBe(
    'Process 4194002 on web-7 has gone: as the main process of `shop.service` it was ended by SIGKILL at Sat 2024-05-04 10:11:12 UTC (systemd: `oom-kill`).',
  );
  expect(await endOf(4_194_003)).toBe(
    'Process 4194003 on web-7 has gone: as the main process of `till.service` it exited with status 3 at Sat 2024-05-04 10:12:00 UTC (systemd: `exit-code`).',
  );
  expect(await endOf(4_194_001)).toContain(
    '`apt-daily.service` it exited with status 0 at Sat 2024-05-04 06:00:01 UTC.',
  );
  expect(await endOf(4_194_004)).toBe('None.');
});

test('the script is POSIX sh', () => {
  const file = path.resolve(import.meta.dirname, '../../../workers/ending/end.sh');
  for (const shell of ['sh', 'bash']) execFileSync(shell, ['-n', file]);
  expect(() => execFileSync('sh', [file, '1;id'], { stdio: 'ignore' })).toThrow();
});
