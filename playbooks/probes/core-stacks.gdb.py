# Runs inside gdb on a core file: the C stack of the thread that died, or of TID. No process is involved.
#
# Each frame is written as "#N  0xADDRESS FUNCTION [inlined] in OBJECT at FILE:LINE", names in double quotes.
import os
import sys

import gdb

C_FRAMES = 60
ROOT = os.environ.get("ROOT", "")


def run(command):
    try:
        return gdb.execute(command, False, True)
    except gdb.error as problem:
        return "error: %s" % problem


def quoted(text):
    text = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return '"%s"' % "".join(c if 31 < ord(c) < 127 or 160 <= ord(c) < 0x2028 or 0x2029 < ord(c) < 0xd800 else "?" for c in text)


def written(text):
    getattr(sys.__stdout__, "buffer", sys.__stdout__).write(text.encode("utf-8", "replace") + b"\n")


def object_of(pc):
    """The shared object or executable that holds the address, as the process saw its path."""
    try:
        name = gdb.solib_name(pc)
    except (gdb.error, AttributeError):
        name = None
    if name is None:
        name = os.environ["NAME"]
    elif ROOT and name.startswith(ROOT):
        name = name[len(ROOT):]
    return name


def line_of(frame):
    try:
        place = frame.find_sal()
        if place.symtab is not None and place.line:
            return " at %s:%d" % (quoted(place.symtab.filename), place.line)
    except gdb.error:
        pass
    return ""


def main():
    for setting in ("debuginfod enabled off", "pagination off", "width 0", "height 0", "confirm off", "auto-load no",
                    "backtrace past-main on", "print inferior-events off"):
        run("set " + setting)
    if os.environ["DEBUG"] != "1":
        run("set debug-file-directory /nonexistent")
    if ROOT:
        run("set sysroot " + ROOT)
    written("gdb " + quoted(gdb.VERSION))
    # A link to what is open, never a path that somebody chose: gdb takes each line of a command for one of its own.
    problem = run("file " + os.environ["EXE"]) if os.environ["EXE"] else "error: the file of its program is not there"
    if problem and "error" in problem:
        written("no symbols: " + quoted(problem[:200]))
    problem = run("core-file " + os.environ["CORE"])
    threads = list(gdb.selected_inferior().threads())
    if not threads:
        written("no native stack: " + quoted((problem or "")[:200]))
        return
    # The core's first thread is the one that died; gdb has selected it.
    for thread in threads:
        if os.environ["TID"] and int(os.environ["TID"]) in thread.ptid:
            thread.switch()
    frame = gdb.newest_frame()
    number = 0
    while frame is not None and number < C_FRAMES:
        # What lies below was interrupted by the signal: the handler's own frames are not where it began.
        name = "<signal handler called>" if frame.type() == gdb.SIGTRAMP_FRAME else frame.name()
        pc = int(frame.pc())
        inlined = " inlined" if frame.type() == gdb.INLINE_FRAME else ""
        written("#%-2d 0x%016x %s%s in %s%s" % (number, pc, quoted(name or "??"), inlined, quoted(object_of(pc)), line_of(frame)))
        number += 1
        try:
            frame = frame.older()
        except (gdb.error, RuntimeError) as problem:
            written("no further frames: " + quoted(str(problem)[:200]))
            break


main()
