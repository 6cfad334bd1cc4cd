import type { ConfigFault } from '../config-faults.ts';
import type { ConfigFile } from '../config-file.ts';

interface Listener {
  readonly path: readonly PropertyKey[];
  readonly port: number;
  readonly address: string;
}

const EVERYWHERE = ['0.0.0.0', '::', '*', ''];

const meet = (one: Listener, other: Listener): boolean =>
  one.port === other.port &&
  (one.address === other.address || [one, other].some(({ address }) => EVERYWHERE.includes(address)));

/** Ports of this machine that two parts would listen at. Port 0 is any that is free. */
export const portFaults = ({ slack, health, board, alerts }: ConfigFile): ConfigFault[] => {
  const listeners: Listener[] = [
    ...(slack.mode === 'http' ? [{ path: ['slack', 'port'], port: slack.port, address: '::' }] : []),
    ...(health === undefined ? [] : [{ path: ['health', 'port'], ...health }]),
    ...(board === undefined ? [] : [{ path: ['board', 'port'], ...board }]),
    ...(alerts.port === undefined ? [] : [{ path: ['alerts', 'port'], port: alerts.port, address: alerts.host }]),
  ].filter(({ port }) => port !== 0);
  return listeners.flatMap((listener, index) => {
    const before = listeners.slice(0, index).find((other) => meet(other, listener));
    return before === undefined
      ? []
      : [{ path: listener.path, message: `port ${listener.port} is taken by ${before.path.join('.')}` }];
  });
};
