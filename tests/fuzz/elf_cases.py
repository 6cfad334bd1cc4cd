"""Tries the readers of ELF files and cores that Straceback carries to hosts with damaged files.

elf_cases.py PROBES KIND CASES SEED FOUND [FILE...]: KIND is `module` or `core`; inputs that a reader failed on are kept in
the folder FOUND. With files, only these are tried. Prints a JSON object. A reader may refuse a file by its own exceptions and
nothing else, within ten seconds and 1 GiB.
"""
import ctypes
import hashlib
import json
import mmap
import os
import random
import resource
import signal
import struct
import sys
import tempfile
import time

PROBES, KIND, CASES, SEED, FOUND = sys.argv[1:6]
sys.path.insert(0, PROBES)

import core_elf
import py_read_memory
from py_read_elf import Module

LONGEST = 10
SYMBOLS = ('PyRuntime', '_PyRuntime', 'malloc', 'main_arena', 'x')
NUMBERS = (0, 1, 7, 8, 56, 64, 0x7f, 0xff, 0xffff, 0x7fffffff, 0xffffffff, 1 << 40, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)


class TooSlow(Exception):
    """One file took too long."""


def too_slow(*_):
    raise TooSlow('no answer within %d s' % LONGEST)


def note(name, kind, text):
    padded = name + b'\0' * (-len(name) % 4)
    return struct.pack('<III', len(name), len(text), kind) + padded + text + b'\0' * (-len(text) % 4)


def small_core():
    """A whole core of one thread, as the kernel writes it (fs/binfmt_elf.c), with a page of memory."""
    status = struct.pack('<iiihxxQQiiii', 11, 0, 0, 11, 0, 0, 4711, 1, 4711, 1) + b'\0' * 64 + b'\1' * 27 * 8 + b'\0' * 8
    process = b'\0' * 24 + struct.pack('<iiii', 4711, 1, 4711, 1) + b'python3\0'.ljust(16, b'\0') + b'python3 app.py'.ljust(80, b'\0')
    signal_info = struct.pack('<iiiiQ', 11, 0, 1, 0, 0xdead).ljust(128, b'\0')
    files = struct.pack('<QQ', 1, 4096) + struct.pack('<QQQ', 0x400000, 0x401000, 0) + b'/usr/bin/python3\0'
    vector = struct.pack('<QQQQQQ', 9, 0x400100, 31, 0x400800, 0, 0)
    notes = b''.join((note(b'CORE\0', 1, status), note(b'CORE\0', 3, process), note(b'CORE\0', 0x53494749, signal_info),
                      note(b'CORE\0', 6, vector), note(b'CORE\0', 0x46494c45, files)))
    at = 64 + 2 * 56
    head = b'\x7fELF\x02\x01\x01'.ljust(16, b'\0') + struct.pack('<HHIQQQIHHHHHH', 4, 62, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    headers = struct.pack('<IIQQQQQQ', 4, 0, at, 0, 0, len(notes), len(notes), 4)
    headers += struct.pack('<IIQQQQQQ', 1, 5, at + len(notes), 0x400000, 0, 4096, 4096, 4096)
    page = open(sys.executable, 'rb').read(4096)
    return head + headers + notes + page


def samples():
    if KIND == 'core':
        return [small_core()]
    found = []
    with open('/proc/self/maps') as maps:
        for line in maps:
            path = line.split()[-1]
            if '.so' in path and path not in found:
                found.append(path)
    small = sorted(found, key=os.path.getsize)[:4]
    return [open(path, 'rb').read() for path in small]


def damaged(sample, chance):
    """A copy with numbers overwritten, mostly where the headers and tables are, and sometimes cut."""
    data = bytearray(sample)
    edges = (64, 64 + 56 * 12, 4096, len(data))
    for _ in range(chance.randint(1, 6)):
        size = chance.choice((1, 2, 4, 8))
        at = chance.randrange(0, max(1, min(len(data), chance.choice(edges)) - size))
        value = chance.choice(NUMBERS) if chance.random() < 0.6 else chance.getrandbits(size * 8)
        data[at:at + size] = struct.pack('<Q', value & (1 << 64) - 1)[:size]
    if chance.random() < 0.15:
        del data[chance.randrange(0, len(data)):]
    if chance.random() < 0.05:
        data.extend(bytearray(chance.getrandbits(8) for _ in range(chance.randint(1, 5000))))
    return bytes(data)


def mapping(start, end, offset, inode):
    return py_read_memory.Mapping(py_read_memory.MAPS_LINE.match(
        b'%x-%x r-xp %x 00:01 %d /x' % (start, end, offset, inode)))


def read_module(path, data, memory):
    """As a file on the disk, and as bytes that are mapped."""
    with mmap.mmap(-1, max(4096, len(data))) as area:
        area.write(data)
        for inode, start in ((os.stat(path).st_ino, 0x10000), (1, address_of(area))):
            try:
                module = Module(memory, os.fsencode(path), [mapping(start, start + max(4096, len(data)), 0, inode)], [])
            except (py_read_memory.Torn, struct.error, OSError):
                continue
            try:
                for name in SYMBOLS:
                    module.symbol(name)
                    module.exported(name)
                module.section('PyRuntime')
                try:
                    module.contents(1 << 20)
                except py_read_memory.Torn:
                    pass
            finally:
                module.close()


def address_of(area):
    pointer = ctypes.c_char.from_buffer(area)
    address = ctypes.addressof(pointer)
    del pointer
    return address


def read_core(path, _data, _memory):
    fd = os.open(path, os.O_RDONLY)
    try:
        try:
            core = core_elf.Core(fd)
        except (core_elf.NoCore, OSError):
            return
        core.executable()
        for file in core.files[:20]:
            core.build_id(file.path)
            core.file_at(file.start)
    finally:
        os.close(fd)
    core_elf.build_id_of(path)


def main(files):
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
    signal.signal(signal.SIGALRM, too_slow)
    chance = random.Random(int(SEED))
    folder = tempfile.mkdtemp(prefix='straceback-fuzz-')
    path = os.path.join(folder, 'sample.so')
    memory = py_read_memory.Memory(os.getpid(), py_read_memory.start_time(os.getpid())[0])
    read = {'module': read_module, 'core': read_core}[KIND]
    known = samples()
    slowest, tried, error, kept = 0.0, 0, None, None
    cases = [open(each, 'rb').read() for each in files] or (damaged(chance.choice(known), chance) for _ in range(int(CASES)))
    for data in cases:
        with open(path, 'wb') as file:
            file.write(data)
        began = time.time()
        signal.alarm(LONGEST)
        try:
            read(path, data, memory)
        except Exception as why:
            error = '%s: %s' % (type(why).__name__, why)
            os.makedirs(FOUND, exist_ok=True)
            kept = os.path.join(FOUND, hashlib.sha256(data).hexdigest()[:12] + '.bin')
            with open(kept, 'wb') as file:
                file.write(data)
            break
        finally:
            signal.alarm(0)
        slowest = max(slowest, time.time() - began)
        tried += 1
    os.unlink(path)
    os.rmdir(folder)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({'cases': tried, 'slowestMs': round(slowest * 1000), 'peakMib': peak, 'kept': kept, 'error': error}))


main(sys.argv[6:])
