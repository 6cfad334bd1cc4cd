import { describe, expect, test } from 'vitest';
import { BadConfig } from '../../../infra/config.ts';
import { alertIntakeForTest, intakeSettings, SECRET } from '../../support/alert-intake.ts';

describe('settings that cannot work are told with file and line', () => {
  const start = async (...args: Parameters<typeof intakeSettings>) => {
    await alertIntakeForTest({ settings: intakeSettings(...args) });
  };

  test.each([
    [
      'an unknown source',
      [{ nagios: undefined }],
      'straceback.yaml:1: alerts.sources.nagios: there is no such source; there are alertmanager,',
    ],
    ['an unknown way', [{ pagerduty: 'bearer' }], 'straceback.yaml:1: alerts.sources.pagerduty: auth has to be hmac'],
    [
      'a secret that is not set',
      [{ generic: 'hmac' }, ['']],
      'alerts.sources.generic: the environment has no SECRET_0',
    ],
    ['a short secret', [{ generic: 'hmac' }, ['short']], 'SECRET_0 is shorter than 16 characters'],
    [
      'a line’s end in a secret',
      [{ generic: 'hmac' }, [SECRET, `${SECRET}\n`]],
      'SECRET_1 begins or ends with a space',
    ],
  ] as [string, Parameters<typeof intakeSettings>, string][])('%s', async (_, settings, sentence) => {
    const starting = start(...settings);
    await expect(starting).rejects.toBeInstanceOf(BadConfig);
    await expect(starting).rejects.toThrow(sentence);
  });
});
