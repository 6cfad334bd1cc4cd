"""Every process of the host, one fact per line; see list.parse.ts. Usage: list.py WORD.

Python 3.6 or later, standard library only; it reads /proc, and for names of containers and pods what kubelet and runtimes keep in files. WORD is repeated in the first and the last
line. Names of the host come last on their line, with newlines as \\1; no name can begin a line of its own.
"""
import os
import re
import sys
import time

# Looked at for this long at most, of a host that may have 10,000 processes with 10,000 descriptors each.
SECONDS = 6.0
WINDOW = 0.5
MOST_PROCESSES = 40000
MOST_LINKS = 4096
MOST_CONTAINERS = 3000
CONTAINER = re.compile(r'[0-9a-f]{64}')
# With dashes by cgroupfs, with underscores by systemd; without either for static pods.
POD = re.compile(r'pod([0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}|[0-9a-f]{32})')
POD_LOGS = re.compile(r'([^_]+)_([^_]+)_([0-9a-f-]+)$')
CONTAINER_LOG = re.compile(r'([^_]+)_([^_]+)_(.+)-([0-9a-f]{64})\.log$')
DOCKERS = re.compile(r'(/.*/containers/[0-9a-f]{64})/(?:hostname|resolv\.conf)$')
WORD = re.compile(r'[A-Za-z0-9][A-Za-z0-9._-]{0,252}$')
LISTENING = b'0A'  # TCP_LISTEN of include/net/tcp_states.h
SOCKET = re.compile(r'socket:\[(\d+)\]$')
KERNEL_THREAD = 0x00200000  # PF_KTHREAD of include/linux/sched.h

out = sys.stdout.buffer.write
began = time.monotonic()


def late():
    return time.monotonic() - began > SECONDS


def slurp(path, size=65536):
    try:
        with open(path, 'rb') as file:
            return file.read(size)
    except OSError:
        return None


def line(kind, *fields):
    words = [field if isinstance(field, bytes) else str(field).encode() for field in fields]
    out(b' '.join([kind] + words).replace(b'\n', b'\1') + b'\n')


def stat_of(pid):
    """(name, fields from the state on) of proc_pid_stat(5); None when it has gone."""
    text = slurp('/proc/%d/stat' % pid, 4096)
    close = text.rfind(b')') if text else -1
    fields = text[close + 2 :].split() if close > 0 else []
    return (text[text.index(b'(') + 1 : close], fields) if len(fields) > 21 else None


def pids():
    return sorted(int(name) for name in os.listdir('/proc') if name.isdigit())[:MOST_PROCESSES]


def listening(pid):
    """Inode and port of every TCP socket that is listened on in the network namespace of a process."""
    for name in ('tcp', 'tcp6'):
        for row in (slurp('/proc/%d/net/%s' % (pid, name), 8000000) or b'').split(b'\n')[1:]:
            fields = row.split()
            if len(fields) > 9 and fields[3] == LISTENING:
                yield fields[9].decode(), int(fields[1].rsplit(b':', 1)[1], 16)


def told(kind, *words):
    if all(isinstance(word, str) and WORD.match(word) for word in words):
        line(kind, *words)


def listed(folder):
    try:
        return os.listdir(folder)
    except OSError:
        return []


def parsed(path):
    import json

    try:
        return json.loads((slurp(path, 1 << 20) or b'null').decode('utf-8', 'replace'))
    except ValueError:
        return None


def link(path):
    try:
        return os.readlink(path)
    except OSError:
        return ''


def docker(id, folder):
    config = parsed(folder + '/config.v2.json')
    if isinstance(config, dict):
        told(b'k', id, str(config.get('Name')).lstrip('/'))


def annotated(id, path):
    """What containerd, nerdctl and CRI-O write beside a container that runs (OCI's config.json); docker mounts files of its own folder."""
    config = parsed(path)
    if not isinstance(config, dict):
        return
    mounts = config.get('mounts')
    for mount in mounts if isinstance(mounts, list) else ():
        match = DOCKERS.match(str(mount.get('source'))) if isinstance(mount, dict) else None
        if match and match.group(1).endswith(id):
            docker(id, match.group(1))
            break
    notes = config.get('annotations')
    if not isinstance(notes, dict):
        return
    pick = lambda *names: next((notes[name] for name in names if notes.get(name)), None)
    told(b'k', id, pick('nerdctl/name', 'io.kubernetes.cri-o.Name'))
    told(
        b'h',
        id,
        pick('io.kubernetes.cri.sandbox-namespace', 'io.kubernetes.pod.namespace'),
        pick('io.kubernetes.cri.sandbox-name', 'io.kubernetes.pod.name'),
        pick('io.kubernetes.cri.container-name', 'io.kubernetes.container.name'),
    )


def firsts():
    """The first processes of containers that runc and crun keep themselves, with their start times: what has ended is remembered too."""
    places = ('/run/runc', 'state.json', b'init_process_pid', b'init_process_start'), ('/run/crun', 'status', b'pid', b'process-start-time')
    for folder, file, pid, start in places:
        for id in sorted(listed(folder))[:MOST_CONTAINERS]:
            if late():
                return
            begin = slurp('%s/%s/%s' % (folder, id, file), 4096) or b''
            match = re.search(b'"%s"\\s*:\\s*(\\d+)\\s*,\\s*"%s"\\s*:\\s*(\\d+)' % (pid, start), begin)
            if match and WORD.match(id):
                line(b'o', match.group(1), match.group(2), id)


def containers(ids, pods, shims):
    """What the kubelet's log folders and the runtimes' own files call these containers and pods."""
    for name in listed('/var/log/pods') if pods else ():
        match = POD_LOGS.match(name)
        if match and match.group(3) in pods:
            told(b'g', match.group(3), match.group(1), match.group(2))
    for name in listed('/var/log/containers') if ids else ():
        match = CONTAINER_LOG.match(name)
        if match and match.group(4) in ids:
            told(b'h', match.group(4), match.group(2), match.group(1), match.group(3))
    tasks = '/run/containerd/io.containerd.runtime.v2.task'
    spaces = dict.fromkeys('%s/%s' % (tasks, space) for space in listed(tasks)) if ids else {}
    # A shim stands in the folder of its container, wherever the runtime was told to keep it.
    for shim in shims if ids else ():
        space = os.path.dirname(link('/proc/%d/cwd' % shim))
        if space.startswith('/') and len(spaces) < 64:
            spaces[space] = None
    stores = '/var/lib/containers/storage'
    stored = ['%s/%s' % (stores, name) for name in listed(stores) if name.endswith('-containers')] if ids else ()
    for store in stored:
        for each in parsed(store + '/containers.json') or ():
            if isinstance(each, dict) and each.get('id') in ids and each.get('names'):
                told(b'k', each['id'], each['names'][0])
    for id in sorted(ids)[:MOST_CONTAINERS]:
        if late():
            break
        docker(id, '/var/lib/docker/containers/' + id)
        for space in spaces:
            annotated(id, '%s/%s/config.json' % (space, id))
        for store in stored:
            annotated(id, '%s/%s/userdata/config.json' % (store, id))
    firsts()


def main(word):
    line(b'list', word)
    line(b'boot', (slurp('/proc/uptime') or b'0').split()[0], os.sysconf('SC_CLK_TCK'), os.sysconf('SC_PAGE_SIZE') // 1024)
    line(b'self', os.getpid())
    known = []
    shims = []
    for pid in pids():
        found = stat_of(pid)
        if found is None or int(found[1][6]) & KERNEL_THREAD:
            continue
        name, fields = found
        known.append(pid)
        if name == b'containerd-shim':
            shims.append(pid)
        # state, parent, start time, user and system time, resident pages
        line(b'p', pid, fields[0], fields[1], fields[19], fields[11], fields[12], fields[21], name)
    first = time.monotonic()
    users = {}
    spaces = {}
    ids = set()
    pods = set()
    room = 4000 if len(known) <= 2000 else 600
    for pid in known:
        try:
            uid = os.stat('/proc/%d' % pid).st_uid
        except OSError:
            continue
        for row in (slurp('/proc/%d/status' % pid, 4096) or b'').split(b'\n'):
            if row.startswith(b'Uid:'):
                uid = int(row.split()[2])
            if row.startswith(b'NSpid:') and len(row.split()) > 2:
                line(b'i', pid, row.split()[-1])
        users[uid] = None
        line(b'u', pid, uid)
        text = slurp('/proc/%d/cmdline' % pid, room + 1) or b''
        cut = len(text) > room
        line(b'a', pid, 1 if cut else 0, text[:room].rstrip(b'\0').replace(b'\0', b'\2'))
        group = (slurp('/proc/%d/cgroup' % pid, 8192) or b'').rstrip(b'\n')
        line(b'c', pid, group)
        path = group.decode('ascii', 'replace')
        ids.update(CONTAINER.findall(path))
        pods.update(uid.replace('_', '-') for uid in POD.findall(path))
        try:
            spaces.setdefault(os.readlink('/proc/%d/ns/net' % pid), pid)
        except OSError:
            spaces.setdefault('unknown', os.getpid())
        if late():
            line(b'gap', 'there are so many processes that not all of them could be read in time')
            break
    containers(ids, pods, shims)
    ports = {}
    for index, pid in enumerate(spaces.values()):
        if index == 200 or late():
            line(b'gap', 'there are so many network namespaces that not all of them could be read')
            break
        for inode, port in listening(pid):
            if inode not in ports:
                ports[inode] = port
                line(b'l', inode, port)
    guarded = False
    for pid in known:
        folder = '/proc/%d/fd' % pid
        try:
            names = os.listdir(folder)
        except PermissionError:
            guarded = True
            continue
        except OSError:
            continue
        line(b'd', pid, len(names))
        if late():
            line(b'gap', 'there are so many descriptors that not all of them could be read in time')
            break
        for name in sorted(names, key=int)[:MOST_LINKS] if ports else ():
            try:
                match = SOCKET.match(os.readlink('%s/%s' % (folder, name)))
            except OSError:
                continue
            if match and match.group(1) in ports:
                line(b'f', pid, match.group(1))
    if guarded:
        line(b'guarded')
    time.sleep(max(0.0, WINDOW - (time.monotonic() - first)))
    for pid in known:
        found = stat_of(pid)
        if found is not None:
            line(b't', pid, found[1][19], found[1][11], found[1][12])
    line(b'window', round(time.monotonic() - first, 3))
    import pwd

    for uid in users:
        try:
            line(b'n', uid, pwd.getpwuid(uid).pw_name.encode('utf-8', 'surrogateescape'))
        except KeyError:
            pass
    line(b'end', word)


if __name__ == '__main__':
    main(sys.argv[1])
