import { z } from 'zod';
import { HostName } from '../../playbooks/model/index.ts';
import { KeepFolder, Sudo } from './fields.ts';

/** The machine that the worker itself runs on: the same runner, without SSH. */
export const LocalHost = z.strictObject({
  name: HostName,
  transport: z.literal('local'),
  sudo: Sudo,
  keepFolder: KeepFolder,
});
export type LocalHost = z.infer<typeof LocalHost>;

/** The settings of the host name `local`, which is always there. */
export const localHost = (overrides: Partial<Omit<LocalHost, 'transport'>> = {}): LocalHost => ({
  name: 'local',
  transport: 'local',
  sudo: 'auto',
  keepFolder: '/var/tmp/straceback',
  ...overrides,
});
