# Runs inside gdb after py-bt-symbols.gdb.py and py-bt-frames.gdb.py: C and Python stacks of all threads.
#
# The stop is kept short by doing before it whatever can be done before. While the process is stopped, stacks are walked and
# Python's frames read, each place in the code once; all of it is printed after the process runs again.
import os
import time

import gdb

MOST_SECONDS = float(os.environ.get("STRACEBACK_SECONDS", "5"))
C_FRAMES = 200
out = []


def walk(python, deadline):
    frame = gdb.newest_frame()
    number = 0
    while frame is not None and number < C_FRAMES:
        if time.time() > deadline:
            out.append("== out of time")
            return
        name = frame.name()
        out.append("#%-2d 0x%016x %s" % (number, int(frame.pc()), "??" if name is None else quoted(name)))
        if python is not None and name is not None and python.is_eval(frame):
            out.extend(python.lines(frame))
        number += 1
        frame = frame.older()
    if frame is not None:
        out.append("== more frames than %d" % C_FRAMES)


def main():
    for setting in ("debuginfod enabled off", "pagination off", "width 0", "height 0", "confirm off", "auto-load no",
                    "print thread-events off", "backtrace past-main on", "python print-stack none"):
        run("set " + setting)
    written("== gdb " + quoted(gdb.VERSION))
    if ROOT:
        run("set sysroot " + ROOT)
    mapped = modules()
    exe = os.readlink("/proc/%s/exe" % PID)
    if load_symbols(exe, mapped):
        run("set auto-solib-add off")
    helper = load_helper(exe, mapped)
    read_ahead(exe, mapped)
    run("set debug-file-directory /nonexistent")
    python = None if helper is None else PythonFrames(helper)

    began = time.time()
    attached = run("attach " + PID)
    threads = list(gdb.selected_inferior().threads()) if gdb.selected_inferior().pid else []
    if not threads:
        written("== not attached: " + quoted(attached or "")[:300])
        return
    try:
        for thread in sorted(threads, key=lambda t: t.ptid[1] or t.ptid[0]):
            out.append("TID %d:" % (thread.ptid[1] or thread.ptid[0]))
            try:
                thread.switch()
                walk(python, began + MOST_SECONDS)
            except (gdb.error, RuntimeError) as problem:
                out.append("== no further frames: " + quoted(str(problem))[:200])
    finally:
        run("detach")
        took = (time.time() - began) * 1000
        for line in out:
            written(line[:2000])
        if python is not None and python.unreadable:
            written("== unreadable Python frames: %d" % python.unreadable)
        written("== stopped for %d ms" % took)


main()
