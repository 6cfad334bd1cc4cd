import type { AlertIntakeSettings, AlertSourceSettings } from '../../infra/alert-intake.ts';
import { BadConfig } from '../../infra/config.ts';
import type { ReadySource } from './intake.ts';
import type { AlertSource } from './source.ts';

/** A shorter secret can be guessed. */
const SHORTEST_SECRET = 16;

type Made = ReadySource | string[];

const readyOrFaults = (
  name: string,
  settings: AlertSourceSettings,
  unit: AlertSource | undefined,
  known: string,
): Made => {
  const fault = (text: string) => `${settings.at}: alerts.sources.${name}: ${text}`;
  if (unit === undefined) return [fault(`there is no such source; there are ${known}`)];
  const ways = Object.keys(unit.ways);
  const way = Object.hasOwn(unit.ways, settings.auth ?? ways[0] ?? '')
    ? unit.ways[settings.auth ?? ways[0] ?? '']
    : undefined;
  if (way === undefined) return [fault(`auth has to be ${ways.join(' or ')}`)];
  const faults = settings.secrets.flatMap(({ name: variable, value = '' }) => {
    if (value === '') return [fault(`the environment has no ${variable}`)];
    if (value.trim() !== value) return [fault(`${variable} begins or ends with a space or a line's end`)];
    return value.length < SHORTEST_SECRET ? [fault(`${variable} is shorter than ${SHORTEST_SECRET} characters`)] : [];
  });
  if (faults.length > 0) return faults;
  const secrets = settings.secrets.flatMap(({ value }) => (value === undefined ? [] : [value]));
  return { unit, way, against: { secrets, user: settings.user } };
};

type Units = ReadonlyMap<string, AlertSource>;

const made = (settings: AlertIntakeSettings, units: Units): (readonly [string, Made])[] => {
  const known = [...units.keys()].join(', ');
  return [...settings.sources].map(([name, each]) => [name, readyOrFaults(name, each, units.get(name), known)]);
};

/** What is wrong with the sources that are set up, each with file and line. */
export const sourceFaults = (settings: AlertIntakeSettings, units: Units): string[] =>
  made(settings, units).flatMap(([, each]) => (Array.isArray(each) ? each : []));

/** The sources that are set up, with what each is checked against. Throws BadConfig with every fault. */
export const readySources = (settings: AlertIntakeSettings, units: Units): ReadonlyMap<string, ReadySource> => {
  const faults = sourceFaults(settings, units);
  if (faults.length > 0) throw new BadConfig(faults);
  return new Map(made(settings, units).flatMap(([name, each]) => (Array.isArray(each) ? [] : [[name, each] as const])));
};
