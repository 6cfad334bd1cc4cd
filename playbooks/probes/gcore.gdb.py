# Runs inside gdb: the C stacks in the core STRACEBACK_CORE, and whether STRACEBACK_EXE is what the process ran.
#
# The process is not involved, so function names may come from separate debug information too, however long that takes.
import os
import stat
import struct

import gdb

C_FRAMES = 60
ROOT = os.environ.get("STRACEBACK_ROOT", "")


def run(command):
    try:
        return gdb.execute(command, False, True)
    except gdb.error as problem:
        return "error: %s" % problem


def plain(text):
    return "".join(c if " " <= c <= "~" else "?" for c in text)


def build_id_in(read):
    """GNU build id of an ELF file that is read by read(offset, size), as hex, or None (elf(5))."""
    head = read(0, 64)
    if head[:4] != b"\x7fELF":
        return None
    order = "<" if head[5:6] == b"\x01" else ">"
    wide = head[4:5] == b"\x02"
    at, = struct.unpack(order + ("Q" if wide else "I"), head[32:40] if wide else head[28:32])
    size, count = struct.unpack(order + "HH", head[54:58] if wide else head[42:46])
    for number in range(min(count, 64)):
        entry = read(at + number * size, size)
        if struct.unpack(order + "I", entry[:4])[0] != 4:
            continue
        if wide:
            offset, length = struct.unpack(order + "Q", entry[8:16])[0], struct.unpack(order + "Q", entry[32:40])[0]
        else:
            offset, length = struct.unpack(order + "I", entry[4:8])[0], struct.unpack(order + "I", entry[16:20])[0]
        notes = read(offset, min(length, 4096))
        while len(notes) >= 12:
            name, desc, kind = struct.unpack(order + "III", notes[:12])
            text = notes[12 + (name + 3) // 4 * 4:][:desc]
            if kind == 3 and notes[12:16] == b"GNU\0":
                return "".join("%02x" % b for b in bytearray(text))
            notes = notes[12 + (name + 3) // 4 * 4 + (desc + 3) // 4 * 4:]
    return None


def opened(path):
    # os.O_PATH came with Python 3.3. What is no regular file is not opened: that alone may wait, or begin something.
    try:
        held = os.open(path, getattr(os, "O_PATH", 0o10000000))
        try:
            if stat.S_ISREG(os.fstat(held).st_mode):
                return os.open("/proc/self/fd/%d" % held, os.O_RDONLY)
        finally:
            os.close(held)
    except (OSError, ValueError, TypeError):
        pass
    return None


def build_id_of_file(path):
    with open(path, "rb") as file:
        def read(offset, size):
            file.seek(offset)
            return file.read(size)
        return build_id_in(read)


def build_id_in_core(base):
    # The kernel maps the headers of the executable in its first page, and gdb writes that page into the core.
    inferior = gdb.selected_inferior()
    return build_id_in(lambda offset, size: bytes(inferior.read_memory(base + offset, size)))


def attempt(function, argument):
    try:
        return function(argument)
    except (gdb.error, gdb.MemoryError, struct.error, IOError, OSError, ValueError, TypeError):
        return None


def main():
    for setting in ("debuginfod enabled off", "pagination off", "width 0", "height 0", "confirm off", "auto-load no",
                    "backtrace past-main on"):
        run("set " + setting)
    if ROOT:
        run("set sysroot " + ROOT)
    exe = os.environ.get("STRACEBACK_EXE", "")
    print("== reading the core with gdb " + plain(gdb.VERSION))
    program = opened(exe)
    # Never a path that the process chose: gdb takes each line of a command for one of its own.
    problem = "error: it is not there" if program is None else run("file /proc/self/fd/%d" % program)
    if problem and "error" in problem:
        print("== no symbols: " + plain(problem)[:300])
    problem = run("core-file " + os.environ["STRACEBACK_CORE"])
    threads = list(gdb.selected_inferior().threads())
    if not threads:
        print("== unreadable core: " + plain(problem or "")[:300])
        return
    base = os.environ.get("STRACEBACK_BASE", "")
    ran = attempt(build_id_in_core, int(base, 16)) if base else None
    used = None if program is None else attempt(build_id_of_file, "/proc/self/fd/%d" % program)
    print("== build ids: process %s, executable %s" % (ran or "-", used or "-"))
    for thread in sorted(threads, key=lambda t: t.ptid[1] or t.ptid[0]):
        print("TID %d:" % (thread.ptid[1] or thread.ptid[0]))
        try:
            thread.switch()
            frame = gdb.newest_frame()
            number = 0
            while frame is not None and number < C_FRAMES:
                name = frame.name()
                print("#%-2d 0x%016x %s" % (number, int(frame.pc()), "??" if name is None else plain(name)))
                number += 1
                frame = frame.older()
        except (gdb.error, RuntimeError) as problem:
            print("== no further frames: " + plain(str(problem))[:200])
    print("== core read")


main()
