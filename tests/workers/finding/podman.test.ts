import { readFileSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { findProcesses } from '../../../workers/finding/find.ts';
import { APP, endContainers } from '../../support/containers.ts';
import { examine, expectFinding } from '../../support/incident.ts';
import { podmanOfRoot, podmanOfUser, whyNoPodman } from '../../support/podman.ts';
import { waysToAShell, withoutPython } from '../../support/shells.ts';
import { endSshd } from '../../support/sshd.ts';
import { until } from '../../support/until.ts';

const end = async (): Promise<void> => {
  await endContainers();
  await endSshd();
};
afterEach(end);

const ways = [
  ['root', podmanOfRoot, await whyNoPodman(podmanOfRoot, end)],
  ['a user', podmanOfUser, await whyNoPodman(podmanOfUser, end)],
] as const;
for (const [who, make, why] of ways) {
  test.skipIf(why !== null)(
    `a deadlock in a container of podman, run by ${who}, is found by name${why === null ? '' : ` (${why})`}`,
    async () => {
      const podman = make();
      const { id, pid } = await podman.start('straceback-till', `${APP}/thread-deadlock/transfers.py`);
      await until('it is stuck', () => podman.wrote('straceback-till', '"stuck"'));
      const [, local] = waysToAShell[0] ?? ['', withoutPython];
      for (const openShell of [local, withoutPython]) {
        const found = await findProcesses('here', { kind: 'container', id: 'straceback-till' }, { openShell });
        expect(found).toMatchObject({ pick: { pid, pidInside: 1, container: id, containerName: 'straceback-till' } });
      }
      const report = await examine(pid, { playbook: 'stacks', windowSeconds: 1 });
      const finding = expectFinding(report, 'thread-deadlock', 0.8);
      expect(JSON.stringify(finding.source)).toContain('with self.accounts[target].lock');
      expect(report.target).toMatchObject({ pidInside: 1, container: id });
      expect(report.caveats.join('\n')).toContain(`inside container ${id.slice(0, 12)} (straceback-till); its paths`);
      expect(readFileSync(`/proc/${pid}/status`, 'utf8')).toMatch(/^NSpid:\t\d+\t1$/m);
      expect(await podman.running('straceback-till')).toBe(true);
    },
  );
}
