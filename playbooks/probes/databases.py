"""The PostgreSQL servers of this host as their processes title themselves, at both ends of a window, and their clients.

Usage: databases.py PID START_TIME SECONDS. Python 3.6 or later, standard library only. It reads /proc, and asks ss(8) for the
ends of unix sockets; it connects to nothing. Untrusted text goes through shown(), one fact per line; see databases.parse.ts.
A server process writes what it does over its command line (update_process_title, ps_status.c of PostgreSQL):
`postgres: USER DATABASE HOST(PORT) ACTIVITY`, with ` waiting` behind it while it waits for a lock.
"""
import os
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from proc_files import print_utf8, shown, slurp

MOST_BACKENDS = 400
MOST_LINKS = 60000
MOST_SECONDS = 1.0
TITLE = re.compile(rb'^postgres: (?:[^ ]+: )?([^ ]+) ([^ ]+) (\[local\]|[^ ]+\((\d+)\)) (.*)$', re.S)


def stat_of(pid):
    """(name, fields behind it), or None."""
    stat = slurp('/proc/%d/stat' % pid, 4096)
    if not stat or b')' not in stat:
        return None
    return stat[stat.find(b'(') + 1 : stat.rfind(b')')], stat[stat.rfind(b')') + 2 :].split()


def pids():
    return sorted(int(name) for name in os.listdir('/proc') if name.isdigit())


def backends():
    """pid -> (title's parts, start time) of the server processes that serve a client."""
    found = {}
    for pid in pids():
        title = (slurp('/proc/%d/cmdline' % pid, 600) or b'').rstrip(b'\0 ')
        parts = TITLE.match(title) if title.startswith(b'postgres: ') else None
        stat = stat_of(pid) if parts else None
        # A title can be imitated; the program behind it is the server's own.
        if stat and stat[0] == b'postgres' and len(found) < MOST_BACKENDS:
            found[pid] = (parts.groups(), stat[1][19], int(stat[1][1]), stat[1][0])
    return found


def sockets_of(pid):
    """Inodes of a process's sockets -> descriptor."""
    found = {}
    try:
        names = os.listdir('/proc/%d/fd' % pid)
    except OSError:
        return found
    for name in names:
        try:
            target = os.readlink(b'/proc/%d/fd/%s' % (pid, name.encode()))
        except OSError:
            continue
        if target.startswith(b'socket:['):
            found[int(target[8:-1])] = int(name)
    return found


def unix_peers():
    """Inode -> inode of the other end, of the servers' connected unix sockets (ss(8)); empty where there is no ss."""
    try:
        text = subprocess.run(
            ['ss', '-xn', 'state', 'connected'], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, timeout=2, env={'PATH': os.environ.get('PATH', '') + ':/usr/sbin:/sbin:/usr/bin:/bin'},
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    found = {}
    for line in text.split(b'\n'):
        numbers = re.search(rb' (\d+) +\S+ +(\d+) *$', line)
        # What was accepted has its listener's name; a server may have other sockets, of whoever started it.
        if numbers and b'.s.PGSQL.' in line:
            found[int(numbers.group(1))] = int(numbers.group(2))
    return found


def tcp_ports(pid):
    """(local port, remote port) -> inode, of the connections in a process's network namespace (proc_pid_net(5))."""
    found = {}
    for name in ('tcp', 'tcp6'):
        for line in (slurp('/proc/%d/net/%s' % (pid, name), 1 << 22) or b'').split(b'\n')[1:]:
            words = line.split()
            if len(words) > 9:
                found[int(words[1].rsplit(b':', 1)[1], 16), int(words[2].rsplit(b':', 1)[1], 16)] = int(words[9])
    return found


class Ends:
    """Which process has the other end of a server process's connection."""

    def __init__(self, servers):
        self.peers = unix_peers()
        self.tcp = tcp_ports(min(servers))
        self.servers = servers
        self.owners = {}
        wanted = {inode for pid in servers for inode in self.client_inodes(pid)}
        began, looked = time.monotonic(), 0
        for pid in pids():
            if pid in servers or not wanted - set(self.owners):
                continue
            mine = sockets_of(pid)
            looked += len(mine)
            for inode in wanted & set(mine):
                self.owners[inode] = (pid, mine[inode])
            if looked > MOST_LINKS or time.monotonic() - began > MOST_SECONDS:
                print('not readable: clients of some servers (the host has too many processes)')
                break

    def client_inodes(self, pid):
        """Inodes of the ends that clients have of a server process's connections."""
        found = []
        flipped = {inode: ports for ports, inode in self.tcp.items()}
        for inode in sockets_of(pid):
            if inode in self.peers:
                found.append(self.peers[inode])
            local, remote = flipped.get(inode, (0, 0))
            if remote and self.servers[pid][0][3] == b'%d' % remote and (remote, local) in self.tcp:
                found.append(self.tcp[remote, local])
        return found

    def client(self, pid):
        """(pid, descriptor) of the client of a server process, or None."""
        return next((self.owners[inode] for inode in self.client_inodes(pid) if inode in self.owners), None)


def age(ticks, uptime):
    return max(0.0, uptime - int(ticks) / os.sysconf('SC_CLK_TCK'))


def main():
    pid, start, window = int(sys.argv[1]), sys.argv[2].encode(), float(sys.argv[3])
    print('databases 1')
    stat = stat_of(pid)
    if not stat or stat[1][19] != start:
        print('gone: there is no such process %d' % pid)
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    first = backends()
    if not first:
        print('end')
        return
    time.sleep(max(0.0, window * 0.8))
    last = backends()
    # Only where somebody waits are the clients of interest: looking for them means looking through all processes.
    waits = [other for other, row in last.items() if row[0][4].endswith(b' waiting')]
    ends = Ends(last) if waits else None
    uptime = float((slurp('/proc/uptime') or b'0').split()[0])
    for other, ((user, database, host, _, activity), began, parent, state) in sorted(last.items()):
        before = first.get(other)
        same = 'same before' if before and before[1] == began and before[0][4] == activity else 'before %s' % (
            shown(before[0][4]) if before and before[1] == began else 'not there')
        client = ends.client(other) if ends else None
        said = '?'
        if client:
            command = (slurp('/proc/%d/cmdline' % client[0], 300) or b'').rstrip(b'\0').replace(b'\0', b' ')
            said = '%d on descriptor %d, command %s' % (client[0], client[1], shown(command) or '?')
        print('server: %d of %d, state %s, %.0f s old, user %s, database %s, host %s, does %s, %s' % (
            other, parent, state.decode('ascii', 'replace'), age(began, uptime), shown(user), shown(database), shown(host),
            shown(activity), same))
        if client:
            print('client: of %d is %s' % (other, said))
    print('end')


if __name__ == '__main__':
    print_utf8()
    main()
    sys.stdout.flush()
