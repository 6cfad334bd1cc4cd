import { spawnSync } from 'node:child_process';

/** Whether the system's Python has a module: tests that need one that is not installed are skipped. */
export const hasModule = (name: string): boolean =>
  spawnSync(
    '/usr/bin/python3',
    ['-c', 'import importlib.util, sys; sys.exit(importlib.util.find_spec(sys.argv[1]) is None)', name],
    {
      stdio: 'ignore',
    },
  ).status === 0;
