"""The memory that a process can write, page by page: what changes in it, and what others may change.

Beside native-motion.py. Python 3.6 or later, standard library only.
"""
import os
import struct
import time

from proc_files import fields, slurp

PAGE = os.sysconf('SC_PAGE_SIZE')
# More than this is not watched: each whole reading takes about half a millisecond of a processor a MiB.
MOST_PAGES = (96 << 20) // PAGE
# Pages that are read in every look while the thread is held.
MOST_MOVING = 48
# Whole readings by which it is learnt which pages move, and the seconds between two.
READINGS = 4
BETWEEN = 0.06


def mappings(pid):
    """[(first address, end, permissions, offset, path, device)] of /proc/PID/maps."""
    found = []
    for line in (slurp('/proc/%d/maps' % pid, 8 << 20) or b'').split(b'\n'):
        parts = line.split(None, 5)
        if len(parts) >= 5:
            first, end = (int(each, 16) for each in parts[0].split(b'-'))
            path = parts[5] if len(parts) > 5 else b''
            found.append((first, end, parts[1].decode('ascii', 'replace'), int(parts[2], 16), path, parts[3]))
    return found


def disks(pid):
    """Devices of mounted file systems, as maps writes them, on which a file tells when it was written: not those in memory."""
    found = set()
    for line in b'\n'.join(slurp('/proc/%s/mountinfo' % each, 4 << 20) or b'' for each in (pid, 'self')).split(b'\n'):
        before, _, after = line.partition(b' - ')
        words, kind = before.split(), after.split()
        if len(words) > 2 and kind and kind[0] not in (b'tmpfs', b'ramfs', b'hugetlbfs', b'devtmpfs', b'proc', b'sysfs'):
            major, minor = words[2].split(b':')
            found.add(b'%02x:%02x' % (int(major), int(minor)))
    return found


def outside(pid):
    """Names of shared memory that others may write: all but files on disks that were not written since the process started."""
    stat = slurp('/proc/%d/stat' % pid)
    up = float((slurp('/proc/uptime') or b'0').split()[0])
    began = time.time() - (up - int(fields(stat)[19]) / os.sysconf('SC_CLK_TCK'))
    on_disk = disks(pid)
    found = []
    for first, end, permissions, _, path, device in mappings(pid):
        if permissions[3:4] != 's' or permissions[0] != 'r' or path in found:
            continue
        if permissions[1] != 'w' and device in on_disk:
            try:
                if os.stat('/proc/%d/map_files/%x-%x' % (pid, first, end)).st_mtime < began:
                    continue
            except OSError:
                pass
        found.append(path or b'[anonymous]')
    return found


class Memory:
    """What a process can write by itself. `moving`: addresses of pages that changed while it was learnt what moves."""

    def __init__(self, pid, kernel):
        self.pid = pid
        self.kernel = kernel
        self.maps = mappings(pid)
        self.fd = os.open('/proc/%d/mem' % pid, os.O_RDONLY | os.O_CLOEXEC)
        self.pages = {}
        self.moving = []
        self.left_out = 0

    def present(self):
        """Addresses of writable private pages that exist (pagemap: bit 63 present, 62 swapped), up to the limit."""
        found = []
        self.left_out = 0
        pagemap = os.open('/proc/%d/pagemap' % self.pid, os.O_RDONLY | os.O_CLOEXEC)
        try:
            for first, end, permissions, _, _, _ in mappings(self.pid):
                if permissions[1] != 'w' or permissions[3:4] != 'p':
                    continue
                for begin in range(first, end, PAGE << 16):
                    count = min(end - begin, PAGE << 16) // PAGE
                    raw = os.pread(pagemap, count * 8, begin // PAGE * 8)
                    entries = struct.unpack('%dQ' % (len(raw) // 8), raw)
                    found.extend(begin + index * PAGE for index, entry in enumerate(entries) if entry >> 62)
                    if len(found) > MOST_PAGES:
                        self.left_out += len(found) - MOST_PAGES
                        del found[MOST_PAGES:]
        finally:
            os.close(pagemap)
        return found

    def read(self, address):
        page = os.pread(self.fd, PAGE, address)
        if self.kernel is not None and address <= self.kernel[0] < address + PAGE:
            # The kernel itself writes here whenever the thread comes to another processor.
            at = self.kernel[0] - address
            page = page[:at] + page[at + self.kernel[1] :]
        return page

    def contents(self):
        found = {}
        for address in self.present():
            try:
                found[address] = hash(self.read(address))
            except OSError:
                found[address] = None
        return found

    def learn(self):
        """Reads all a few times: `pages` is what was there, `moving` what changed in between."""
        moving = set()
        self.pages = self.contents()
        for _ in range(READINGS):
            time.sleep(BETWEEN)
            now = self.contents()
            moving |= {each for each in set(now) | set(self.pages) if now.get(each) != self.pages.get(each)}
            self.pages = now
        self.moving = sorted(moving)

    def moving_now(self):
        """The moving pages as they are, to be asked for while the thread is held."""
        return b''.join(self.read(address) for address in self.moving[:MOST_MOVING])

    def changed_elsewhere(self):
        """How many pages are not as they were, besides those that every look compares."""
        compared = set(self.moving[:MOST_MOVING])
        now = self.contents()
        return sum(now.get(each) != self.pages.get(each) for each in (set(now) | set(self.pages)) - compared)

    def place_of(self, address):
        """(file or name of a mapping, offset in the file, or the address where there is none)."""
        for first, end, _, offset, path, _ in self.maps:
            if first <= address < end:
                return (path, address - first + offset) if path.startswith(b'/') else (path or b'[anonymous]', address)
        return b'[unmapped]', address
