"""The control groups that limit a process's CPU time, and what they took from it. Python 3.6 or later, standard library only."""
from proc_files import numbers, slurp


def cpu_groups(pid):
    """Folders with a cpu.stat from the process's own group up to the root, with the group's path as it is called."""
    group, kind = None, None
    for line in (slurp('/proc/%d/cgroup' % pid) or b'').split(b'\n'):
        parts = line.split(b':', 2)
        if len(parts) < 3:
            continue
        if b'cpu' in parts[1].split(b','):
            group, kind = parts[2], b'cgroup'
        elif parts[0] == b'0' and parts[1] == b'' and kind is None:
            group, kind = parts[2], b'cgroup2'
    if group is None or b'/..' in group:
        return []
    for line in (slurp('/proc/self/mountinfo') or b'').split(b'\n'):
        before, _, after = line.partition(b' - ')
        words, kinds = before.split(), after.split()
        if len(words) < 5 or len(kinds) < 3 or kinds[0] != kind:
            continue
        if kind == b'cgroup' and b'cpu' not in kinds[2].split(b','):
            continue
        root, mount = words[3], words[4]
        path = group[len(root) :] if root != b'/' and group.startswith(root) else group
        found = []
        while True:
            found.append((group, mount + path + b'/cpu.stat'))
            if path in (b'', b'/'):
                return found
            path = path[: path.rfind(b'/')]
            group = group[: group.rfind(b'/')] or b'/'
    return []


def read_groups(groups):
    return [numbers(slurp(path)) for _, path in groups]


def throttling(groups, before, after):
    """The group on the way up that was throttled most in the window: how often and how long."""
    worst = None
    for (name, _), first, last in zip(groups, before, after):
        if 'nr_periods' not in first or 'nr_periods' not in last:
            continue

        def grown(key, first=first, last=last):
            return last.get(key, 0) - first.get(key, 0)

        seconds = grown('throttled_usec') / 1e6 if 'throttled_usec' in last else grown('throttled_time') / 1e9
        entry = (seconds, grown('nr_periods'), grown('nr_throttled'), name)
        if worst is None or entry[:3] > worst[:3]:
            worst = entry
    return worst
