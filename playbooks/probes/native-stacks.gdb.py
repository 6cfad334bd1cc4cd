# Runs inside gdb: C stacks of all threads of STRACEBACK_PID, at most STRACEBACK_FRAMES frames each, in eu-stack's words.
#
# Written for the Python of any gdb since 7.6 (2.7 and later). What is looked up while the process is stopped is kept and
# printed after it runs again. Separate debug information is not loaded: it made the stop twenty times as long.
import os
import sys
import time

import gdb

pid = os.environ["STRACEBACK_PID"]
limit = int(os.environ["STRACEBACK_FRAMES"])
root = os.environ.get("STRACEBACK_ROOT", "")
out = []


def run(command):
    try:
        return gdb.execute(command, False, True)
    except gdb.error as problem:
        return "error: %s" % problem


def plain(text):
    return "".join(c if " " <= c <= "~" else "?" for c in text)


def stack():
    frame = gdb.newest_frame()
    number = 0
    while frame is not None and frame.is_valid() and number < limit:
        pc = int(frame.pc())
        module = gdb.solib_name(pc)
        if module is None:
            module = executable
        for prefix in ("target:", root):
            if module.startswith(prefix):
                module = module[len(prefix):]
        name = frame.name()
        out.append("#%-2d 0x%016x%s - %s" % (number, pc, "" if name is None else " " + plain(name), plain(module)))
        number += 1
        frame = frame.older()
    if frame is not None and number == limit:
        cut.append(gdb.selected_thread().ptid[1])


def main():
    for setting in (
        "debuginfod enabled off", "pagination off", "width 0", "height 0", "confirm off", "auto-load no",
        "print thread-events off", "debug-file-directory /nonexistent", "backtrace past-main on",
    ):
        run("set " + setting)
    if root:
        run("set sysroot " + root)
    # By this link the file is right even when it was replaced or lies in a container.
    problem = run("file /proc/%s/exe" % pid)
    if problem and "error" in problem:
        sys.stderr.write(problem + "\n")
    began = time.time()
    attached = run("attach " + pid)
    threads = list(gdb.selected_inferior().threads()) if gdb.selected_inferior().pid else []
    try:
        if not threads:
            print("== not attached: " + plain(attached)[:300])
            return
        out.append("PID %s - process" % pid)
        for thread in sorted(threads, key=lambda t: t.ptid[1] or t.ptid[0]):
            out.append("TID %d:" % (thread.ptid[1] or thread.ptid[0]))
            try:
                thread.switch()
                stack()
            except (gdb.error, RuntimeError) as problem:
                out.append("== no further frames: " + plain(str(problem))[:200])
    finally:
        if threads:
            run("detach")
            took = (time.time() - began) * 1000
            for line in out:
                print(line)
            for tid in cut:
                print("== more frames than %d: thread %d" % (limit, tid))
            print("== stopped for %d ms" % took)


cut = []
try:
    executable = os.readlink("/proc/%s/exe" % pid)
except OSError:
    executable = "?"
main()
