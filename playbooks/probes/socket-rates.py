"""How many bytes each TCP socket of a process received and sent over a window, beside its memory, and who it asks for names.

Usage: socket-rates.py PID START_TIME SECONDS. Python 3.6 or later, standard library only. It reads /proc and asks the
kernel's socket statistics (sock_diag(7)); the process does not notice. Its direct children are watched with it: a master
does not download, its workers do. One fact per line, and nothing in it that a process can name; see socket-rates.parse.ts.
"""
import os
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import socket_diag as diag
from proc_files import PAGE_KIB, slurp

ESTABLISHED = 1
# Every state but LISTEN and TIME-WAIT, which belongs to no process any more.
OPEN = 0xFFF & ~(1 << 10) & ~(1 << 6)
NAME_PORTS = (53,)
MOST_CHILDREN = 64
MOST_FDS = 20000
MOST_LINES = 200
# What one look may take; a host with very many sockets is looked at only at the beginning and at the end.
DEAR = 0.012


def stat_fields(pid):
    """Fields of a stat file after the name: [0] is the state, [1] the parent, [19] the start time."""
    stat = slurp('/proc/%d/stat' % pid)
    return stat[stat.rfind(b')') + 2 :].split() if stat else []


def resident(pid):
    words = (slurp('/proc/%d/statm' % pid) or b'').split()
    return int(words[1]) * PAGE_KIB if len(words) > 1 and words[1].isdigit() else None


def children(pid):
    """Direct children, as far as the first threads have forked them (proc_pid_task_children(5))."""
    found = []
    try:
        tids = sorted(os.listdir('/proc/%d/task' % pid))[:64]
    except OSError:
        return found
    for tid in tids:
        found.extend(int(word) for word in (slurp('/proc/%d/task/%s/children' % (pid, tid)) or b'').split() if word.isdigit())
    return found[:MOST_CHILDREN]


def socket_fds(pid):
    """Inode -> lowest descriptor of the process's sockets, and whether all descriptors were read. None when refused."""
    folder = '/proc/%d/fd' % pid
    try:
        names = os.listdir(folder)
    except OSError:
        return None, True
    found = {}
    for name in names[:MOST_FDS]:
        try:
            target = os.readlink(folder + '/' + name)
        except OSError:
            continue
        if target.startswith('socket:['):
            inode = int(target[8:-1])
            found[inode] = min(found.get(inode, 1 << 30), int(name))
    return found, len(names) <= MOST_FDS


def enter_network(pid):
    """Goes into the process's network namespace when it is another one; the reason why it cannot, or None."""
    there = '/proc/%d/ns/net' % pid
    try:
        if os.readlink(there) == os.readlink('/proc/self/ns/net'):
            return None
        fd = os.open(there, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        return error.strerror
    try:
        if hasattr(os, 'setns'):
            os.setns(fd, 0x40000000)
            return None
        import ctypes

        libc = ctypes.CDLL(None, use_errno=True)
        return None if libc.setns(fd, 0x40000000) == 0 else os.strerror(ctypes.get_errno())
    except OSError as error:
        return error.strerror
    finally:
        os.close(fd)


class Watch:
    def __init__(self, pid):
        self.pids = [pid] + children(pid)
        self.statistics = diag.Statistics()
        self.owners = {}
        self.refused = []
        self.cut_fds = False
        self.first = {}
        self.last = {}
        self.curves = {}
        self.memory = {each: [] for each in self.pids}
        self.servers = {}
        self.looks = 0

    def own(self):
        self.owners = {}
        self.refused = []
        for pid in reversed(self.pids):
            found, whole = socket_fds(pid)
            self.cut_fds = self.cut_fds or not whole
            if found is None:
                if os.path.isdir('/proc/%d' % pid):
                    self.refused.append(pid)
                continue
            for inode, fd in found.items():
                # A socket that a child inherited is the target's.
                self.owners[inode] = (pid, fd)

    def look(self, after):
        self.looks += 1
        self.own()
        for pid in self.pids:
            size = resident(pid)
            if size is not None:
                self.memory[pid].append((after, size))
        self.last = {}
        asked = {}
        if not self.owners:
            return
        for family in (socket.AF_INET, socket.AF_INET6):
            for message in self.statistics.dump(family, socket.IPPROTO_TCP, OPEN, 2):
                inode = struct.unpack_from('=I', message, 68)[0]
                if inode not in self.owners:
                    continue
                tcp = diag.Tcp(message)
                self.last[inode] = tcp
                self.first.setdefault(inode, (self.looks, tcp))
                self.curves.setdefault(inode, []).append((after, tcp.received or 0))
                if self.owners[inode][0] == self.pids[0] and tcp.side != 'server':
                    self.ask(asked, 'tcp', tcp.peer, inode)
            for message in self.statistics.dump(family, socket.IPPROTO_UDP, 1 << ESTABLISHED, 0):
                inode = struct.unpack_from('=I', message, 68)[0]
                if self.owners.get(inode, (0, 0))[0] == self.pids[0]:
                    self.ask(asked, 'udp', diag.end_of(message, True), inode)
        for key, inodes in asked.items():
            looks, most, all_inodes = self.servers.get(key, (0, 0, frozenset()))
            self.servers[key] = (looks + 1, max(most, len(inodes)), all_inodes | inodes)

    def ask(self, asked, kind, peer, inode):
        if int(peer[peer.rfind(':') + 1 :]) in NAME_PORTS:
            asked[kind, peer] = asked.get((kind, peer), frozenset()) | {inode}


def curve(points):
    step = max(1, -(-len(points) // 13))
    kept = points[::step]
    if points and kept[-1] != points[-1]:
        kept.append(points[-1])
    return ', '.join('%.2f s %d' % point for point in kept)


def told(value, text):
    return text % value if value is not None else text.replace('%d', '?').replace('%.3f', '?')


def socket_line(watch, inode, tcp, moved):
    pid, fd = watch.owners[inode]
    received, sent = moved
    return 'tcp %d fd=%d ino=%d %s %s %s %s: received %d of %s bytes, sent %d of %s bytes, unread %d, unsent %d, %s, %s, %s, %s, %s' % (
        pid, fd, inode, tcp.state, tcp.local, tcp.peer, tcp.side, received,
        '?' if tcp.received is None else tcp.received, sent, '?' if tcp.sent is None else tcp.sent, tcp.unread, tcp.unsent,
        told(tcp.heard, 'heard %d ms ago'), told(tcp.spoke, 'spoke %d ms ago'), told(tcp.repeated, 'sent again %d'),
        told(None if tcp.rtt is None else tcp.rtt / 1000, 'round trip %.3f ms'),
        'opened in the window' if watch.first[inode][0] > 1 else 'open before',
    )


def report(watch, seconds):
    rows = []
    for inode, tcp in watch.last.items():
        looks, first = watch.first[inode]
        # What was opened in the window has all its bytes from there.
        base = (0, 0) if looks > 1 else (first.received or 0, first.sent or 0)
        moved = (max(0, (tcp.received or 0) - base[0]), max(0, (tcp.sent or 0) - base[1]))
        rows.append((-sum(moved), inode, tcp, moved))
    rows.sort(key=lambda row: row[:2])
    busy = sum(row[0] < 0 for row in rows)
    cpu = time.process_time()
    print('window: %.3f s, %d looks, watching took %.3f s of CPU' % (seconds, watch.looks, cpu))
    for pid in watch.pids:
        points = watch.memory[pid]
        if len(points) > 1:
            sizes = [size for _, size in points]
            print('memory %d: resident %d kB first, %d kB last, %d kB most' % (pid, sizes[0], sizes[-1], max(sizes)))
            print('memory curve %d: %s' % (pid, curve(points)))
    for pid in watch.refused:
        print('not readable: descriptors of process %d' % pid)
    for (kind, peer), (looks, most, inodes) in sorted(watch.servers.items(), key=lambda item: -item[1][0])[:20]:
        print('name server %s %s: asked in %d of %d looks, %d sockets at once, %d in all' % (kind, peer, looks, watch.looks, most, len(inodes)))
    for _, inode, tcp, moved in rows[:MOST_LINES]:
        print(socket_line(watch, inode, tcp, moved))
    for _, inode, tcp, moved in rows[:3]:
        if moved[0] >= 65536 and len(watch.curves[inode]) > 2:
            print('received curve %d: %s' % (inode, curve(watch.curves[inode])))
    closed = sum(inode not in watch.last for inode in watch.first)
    print(
        'sockets: %d at the end, %d moved, %d shown, %d closed in the window, received %d bytes, sent %d bytes'
        % (
            len(rows), busy, min(len(rows), MOST_LINES), closed, sum(row[3][0] for row in rows), sum(row[3][1] for row in rows),
        )
    )
    if watch.cut_fds:
        print('cut: only %d descriptors of a process were looked at' % MOST_FDS)
    if watch.statistics.cut:
        print('cut: the host has more sockets than could be listed in time')
    print('end')


def main():
    pid, start, window = int(sys.argv[1]), sys.argv[2].encode(), float(sys.argv[3])
    print('socket-rates 1')
    fields = stat_fields(pid)
    if not fields or fields[19] != start:
        print('gone: there is no process %d any more' % pid)
        return
    if not os.access('/proc/%d/fd' % pid, os.R_OK):
        print('denied: the descriptors of process %d may be read only by root and by its own user' % pid)
        return
    why = enter_network(pid)
    if why is not None:
        print('denied: its network namespace could not be entered: %s' % why)
        return
    try:
        watch = Watch(pid)
        began = time.monotonic()
        watch.look(0.0)
        cost = time.monotonic() - began
        pause = max(0.25, window / 12)
        while True:
            now = time.monotonic() - began
            left = window - now
            if left <= 0:
                break
            if cost > DEAR or left <= pause * 1.5:
                time.sleep(left)
                break
            time.sleep(pause)
            looked = time.monotonic()
            watch.look(looked - began)
            cost = max(cost, time.monotonic() - looked)
        if stat_fields(pid)[19:20] != [start]:
            print('gone: process %d ended in the window' % pid)
            return
        seconds = time.monotonic() - began
        watch.look(seconds)
        report(watch, seconds)
    except OSError as error:
        print('refused: %s' % (error.strerror or 'the kernel did not answer'))


if __name__ == '__main__':
    main()
    sys.stdout.flush()
