import type { Selector } from '../../playbooks/model/index.ts';
import { globTest, type Test } from './glob.ts';
import type { HostList, HostProcess } from './list.parse.ts';

/** What people may call the container of a process: its runtime's name, its name in a pod, or LXC's for an id. */
const containerNames = ({ container, containerName, pod }: HostProcess): readonly string[] =>
  [containerName, pod?.container, container].filter((name) => typeof name === 'string');

/** The processes of a container: by name; else by the beginning of the id; else by a pattern of names. A pid is one as it is seen inside. */
export const byContainer = (id: string, pid: number | undefined, all: HostList): readonly HostProcess[] => {
  const wanted = id.toLowerCase();
  const pattern = globTest(id);
  const tests: ((process: HostProcess) => boolean)[] = [
    (process) => containerNames(process).includes(id),
    ({ container }) => container?.toLowerCase().startsWith(wanted) === true,
    (process) => containerNames(process).some(pattern),
  ];
  for (const test of tests) {
    const found = all.processes.filter(test);
    if (found.length === 0) continue;
    return pid === undefined ? found : found.filter((each) => (each.pidInside ?? each.pid) === pid);
  }
  return [];
};

/** The processes of a pod's containers; its sandbox, which only keeps the namespaces, where there is nothing else. */
export const byPod = ({ namespace, name, container }: Extract<Selector, { kind: 'pod' }>, all: HostList) => {
  const [space, pod, one] = [namespace, name, container ?? '*'].map(globTest) as [Test, Test, Test];
  const found = all.processes.filter(
    (each) =>
      each.pod !== null &&
      space(each.pod.namespace) &&
      pod(each.pod.name) &&
      (container === undefined || (each.pod.container !== null && one(each.pod.container))),
  );
  const inContainers = found.filter((each) => each.pod?.container !== null);
  return inContainers.length > 0 ? inContainers : found;
};
