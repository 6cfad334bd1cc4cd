import type { Selector } from '../../playbooks/model/index.ts';
import { shortId } from '../../playbooks/reading/container-keeper.ts';
import { nearest } from '../../playbooks/reading/nearest.ts';
import { code, list } from '../../playbooks/reading/text.ts';
import type { HostList } from './list.parse.ts';

const MOST = 12;

/** `a, b and 3 more`, as code. */
const some = (names: readonly (string | number)[]): string => {
  const shown = names.slice(0, MOST).map((name) => code(String(name), 60));
  return list(names.length > MOST ? [...shown, `${names.length - MOST} more`] : shown);
};

/** Names that hold the word or are held by it, then those a few letters off. */
const alike = (word: string, names: Iterable<string>): string[] => {
  const all = [...new Set(names)].filter((name) => name !== '');
  const wanted = word.toLowerCase().replaceAll(/[*?]/g, '');
  const holding = all.filter((name) => wanted.length > 1 && name.toLowerCase().includes(wanted));
  return [...new Set([...holding, ...nearest(wanted, all, 5)])].slice(0, 5);
};

/** One sentence about what is near to a selector that means no process. Pure. */
export const nearTo = (selector: Selector, { processes, otherPorts }: HostList): string => {
  switch (selector.kind) {
    case 'port': {
      if (otherPorts.includes(selector.port)) {
        return `Port ${selector.port} is listened on, but by a process that this login may not look into: look as root.`;
      }
      const ports = [...new Set(processes.flatMap((each) => each.ports).concat(otherPorts))].sort((a, b) => a - b);
      return ports.length === 0 ? 'No TCP port is listened on there.' : `Listened on are the ports ${some(ports)}.`;
    }
    case 'unit': {
      const units = [
        ...new Set(processes.flatMap((each) => each.units.filter((unit) => unit.endsWith('.service')))),
      ].sort();
      const stem = (unit: string) => unit.replace(/\.service$/, '');
      const near = alike(stem(selector.name), units.map(stem)).map((name) => `${name}.service`);
      if (near.length > 0)
        return `Did you mean ${list(
          near.map((unit) => code(unit, 60)),
          'or',
        )}?`;
      return units.length === 0
        ? 'No process there belongs to a systemd service.'
        : `Services with processes are ${some(units)}.`;
    }
    case 'name': {
      const near = alike(
        selector.pattern,
        processes.flatMap((each) => [each.name, ...each.programs]),
      );
      return near.length === 0
        ? ''
        : `Did you mean ${list(
            near.map((name) => code(name, 60)),
            'or',
          )}?`;
    }
    case 'container': {
      const inside =
        selector.pid === undefined
          ? []
          : processes.filter(
              ({ container, containerName }) =>
                containerName === selector.id || container?.startsWith(selector.id.toLowerCase()),
            );
      if (inside.length > 0) {
        const pids = inside.map((each) => each.pidInside ?? each.pid).sort((a, b) => a - b);
        return `Inside that container are the process ids ${some(pids)}.`;
      }
      const names = processes.flatMap(({ container, containerName }) =>
        container === null ? [] : [containerName ?? shortId(container)],
      );
      const near = alike(selector.id, names);
      if (near.length > 0)
        return `Did you mean ${list(
          near.map((name) => code(name, 60)),
          'or',
        )}?`;
      const ids = [...new Set(names)].sort();
      return ids.length === 0 ? 'No process there runs in a container.' : `Containers with processes are ${some(ids)}.`;
    }
    case 'pod': {
      const pods = [
        ...new Set(processes.flatMap(({ pod }) => (pod === null ? [] : [`${pod.namespace}/${pod.name}`]))),
      ].sort();
      const near = alike(`${selector.namespace}/${selector.name}`, pods);
      if (near.length > 0)
        return `Did you mean ${list(
          near.map((name) => code(name, 100)),
          'or',
        )}?`;
      return pods.length === 0 ? 'No process there belongs to a pod.' : `Pods with processes are ${some(pods)}.`;
    }
    default:
      return '';
  }
};
