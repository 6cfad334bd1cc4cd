# Runs inside gdb: C and Python stacks of all threads of STRACEBACK_PID. Written for the Python of any gdb since 7.6.
#
# The stop is kept short by doing before it whatever can be done before: the executable and every mapped library are
# loaded at their addresses, and the debug information behind the functions that eu-stack has just seen on the stacks
# (addresses on standard input) is read. While the process is stopped, stacks are walked and Python's frames read, each
# place in the code once; all of it is printed after the process runs again.
#
# Python frames are read with the classes of CPython's own gdb helper (Tools/gdb/libpython.py), not with its py-bt
# command: that opens every source file which the process names, and a name may be a pipe that never ends.
import os
import re
import stat
import sys
import time

import gdb

PID = os.environ["STRACEBACK_PID"]
ROOT = os.environ.get("STRACEBACK_ROOT", "")
LOCALS = os.environ.get("STRACEBACK_LOCALS", "") == "1"
MOST_SECONDS = float(os.environ.get("STRACEBACK_SECONDS", "5"))
C_FRAMES = 200
PY_FRAMES = 200
LOCALS_OF_FRAME = 30
PYTHON2 = False
out = []


def run(command):
    try:
        return gdb.execute(command, False, True)
    except gdb.error as problem:
        return "error: %s" % problem


def quoted(text):
    """Text that stays in its line: quotes, backslashes and control characters escaped."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    text = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return "".join(c if is_plain(ord(c)) else ("\\x%02x" if ord(c) < 256 else "\\u%04x") % ord(c) for c in text)


def is_plain(code):
    """Not a control character, a line or paragraph separator, or half a surrogate pair."""
    return 31 < code < 127 or 160 <= code < 0x2028 or 0x2029 < code < 0xd800 or code > 0xdfff


def unmixed(text):
    """A name of Python 2, whose helper takes bytes for Latin-1."""
    if PYTHON2:
        try:
            return text.encode("latin-1").decode("utf-8")
        except (UnicodeError, AttributeError):
            pass
    return text


def written(text):
    """A line for standard output; gdb's own stream may refuse what is not in the locale's character set."""
    data = text if isinstance(text, bytes) else text.encode("utf-8", "replace")
    getattr(sys.__stdout__, "buffer", sys.__stdout__).write(data + b"\n")


# --- what is mapped ---


class Module(object):
    def __init__(self, path, start, offset, inode):
        self.path, self.start, self.offset, self.inode = path, start, offset, inode
        self.host = ROOT + path


def modules():
    """ELF files of the process with the address that each begins at: {path: Module}."""
    found = {}
    with open("/proc/%s/maps" % PID) as maps:
        for line in maps:
            words = line.rstrip("\n").split(None, 5)
            if len(words) < 6 or not words[5].startswith("/") or words[5] in found:
                continue
            found[words[5]] = Module(words[5], int(words[0].split("-")[0], 16), int(words[2], 16), int(words[4]))
    return found


def is_position_independent(path):
    with open(path, "rb") as file:
        head = file.read(18)
    if head[:4] != b"\x7fELF":
        return None
    return head[16:18] in (b"\x03\x00", b"\x00\x03")


def argument(path):
    """A path as one argument of a gdb command (buildargv takes backslashes)."""
    return re.sub(r"([^A-Za-z0-9_./+-])", r"\\\1", path)


def load_symbols(exe, mapped):
    """Loads the executable and all libraries at their addresses. False when this gdb cannot place them."""
    # By this link the file is right even when it was replaced or lies in a container.
    problem = run("file /proc/%s/exe" % PID)
    if "error" in (problem or ""):
        written("== no symbols: " + quoted(problem))
    if int(gdb.VERSION.split(".")[0]) < 9:
        return False
    for module in mapped.values():
        if module.path == exe or module.offset != 0 or not re.search(r"\.so(\.|$)", module.path):
            continue
        try:
            if os.stat(module.host).st_ino != module.inode or not is_position_independent(module.host):
                continue
        except (IOError, OSError):
            continue
        # Debug information is of use for the interpreter alone; for others it costs seconds.
        wanted = "libpython" in os.path.basename(module.path)
        run("set debug-file-directory " + (DEBUG_FOLDERS if wanted else "/nonexistent"))
        run("add-symbol-file %s -o 0x%x" % (argument(module.host), module.start))
    return True


def read_ahead(exe, mapped):
    """Has gdb read the debug information of the places that eu-stack saw."""
    module = mapped.get(exe)
    base = 0
    if module is not None and is_position_independent("/proc/%s/exe" % PID):
        base = module.start
    end = max([0] + [m.start for m in mapped.values() if m.path == exe]) + (1 << 28)
    for name in ("PyObject", "PyCodeObject", "PyFrameObject", "_PyInterpreterFrame", "PyUnicodeObject", "PyLongObject",
                 "PyASCIIObject", "PyCompactUnicodeObject", "PyVarObject", "PyTupleObject", "PyBytesObject",
                 "PyDictObject", "PyTypeObject", "_Py_CODEUNIT", "PyStringObject", "PyIntObject"):
        try:
            gdb.lookup_type(name)
        except gdb.error:
            pass
    seen = set()
    for word in sys.stdin.read(1 << 20).split():
        if not re.match(r"0x[0-9a-f]+$", word) or word in seen:
            continue
        seen.add(word)
        pc = int(word, 16)
        try:
            # Libraries are in place already; a position-independent executable moves there at the attach.
            gdb.block_for_pc(pc - base if base and base <= pc < end else pc)
        except (gdb.error, RuntimeError, OverflowError):
            pass


# --- CPython's helper ---


def trusted(path):
    """Why gdb may not run the file, or None. It would run as the look's user, so nobody else may be able to write it."""
    me = os.geteuid()
    folder = os.path.realpath(path)
    while True:
        about = os.stat(folder)
        if about.st_uid not in (0, me):
            return "%s belongs to user %d" % (folder, about.st_uid)
        if about.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not (stat.S_ISDIR(about.st_mode) and about.st_mode & stat.S_ISVTX):
            return "%s can be written by others" % folder
        if folder == "/":
            return None
        folder = os.path.dirname(folder)


def helper_candidates(exe, mapped):
    """Where distributions and builds put the helper: beside the interpreter, or below gdb's auto-load folder."""
    libraries = [m.path for m in mapped.values() if re.match(r"libpython\d", os.path.basename(m.path))]
    version = None
    for path in libraries + [exe]:
        match = re.search(r"python(\d\.\d+)", os.path.basename(path))
        version = version or (match and match.group(1))
    # What lies in the process's own root is its own and not the host's: never run as the look's user.
    places = [] if ROOT else [os.path.realpath(path) for path in libraries + [exe]]
    for place in places:
        for folder in ("/usr/share/gdb/auto-load", "", "/usr/lib/debug", "/usr/share/gdb/auto-load/usr/lib/debug"):
            for suffix in ("-gdb.py", ".debug-gdb.py"):
                yield folder + place + suffix
    for place in places:
        if version:
            yield os.path.join(os.path.dirname(place), "python%s-gdb.py" % version)
            yield os.path.join(os.path.dirname(os.path.dirname(place)), "bin", "python%s-gdb.py" % version)
    # The helper of another build of the same version reads the same structures.
    if version:
        for folder in ("/usr/share/gdb/auto-load/usr/bin", "/usr/share/gdb/auto-load/usr/local/bin", "/usr/local/bin"):
            yield "%s/python%s-gdb.py" % (folder, version)


def load_helper(exe, mapped):
    """CPython's helper as a dictionary of its names, or None; says which file it was, or why there is none."""
    global PYTHON2
    refused = []
    for path in helper_candidates(exe, mapped):
        if not os.path.isfile(path):
            continue
        why = trusted(path)
        if why is not None:
            refused.append(why)
            continue
        names = {"__name__": "__straceback_helper__"}
        try:
            with open(path, "rb") as file:
                exec(compile(file.read(), path, "exec"), names)
            names["Frame"], names["PyObjectPtr"]
        except Exception as problem:
            refused.append("%s does not load (%s)" % (path, problem))
            continue
        written("== helper: " + quoted(path))
        PYTHON2 = "PyStringObjectPtr" in names
        return names
    written("== no helper: " + quoted("; ".join(refused) if refused else "none is installed for this interpreter"))
    return None


# --- frames ---


class PythonFrames(object):
    """Reads Python frames with the helper's classes, each place in the code once."""

    # Where frames of 2.7 to 3.10, 3.11 and 3.12, 3.13 and later keep their code and their place in it.
    KEYS = (("f_code", "f_lasti"), ("f_code", "prev_instr"), ("f_executable", "instr_ptr"))

    def __init__(self, names):
        self.names = names
        self.fields = None
        self.places = {}
        self.unreadable = 0

    def is_eval(self, frame):
        wrapped = self.names["Frame"](frame)
        test = getattr(wrapped, "is_evalframe", None) or getattr(wrapped, "is_evalframeex")
        return test()

    def value_of(self, frame):
        """The gdb.Value of the innermost Python frame that a C frame of the interpreter executes, or None."""
        for name in ("frame", "f"):
            try:
                value = frame.read_var(name)
            except ValueError:
                continue
            if not value.is_optimized_out and int(value) != 0:
                return value
        op = self.names["Frame"](frame).get_pyop()
        return None if op is None or op.is_optimized_out() else op._gdbval

    def bare(self, value):
        """The helper's object without what its constructor reads."""
        kind = self.names["PyFramePtr"]
        op = kind.__new__(kind)
        op._gdbval = value
        return op

    def chain(self, frame):
        """Values of the Python frames that one C frame executes, innermost first."""
        value = self.value_of(frame)
        if value is None:
            self.unreadable += 1
            return
        if "PyFramePtr" not in self.names:
            yield value
            return
        for _ in range(PY_FRAMES):
            if int(value) == 0:
                return
            bare = self.bare(value)
            if hasattr(bare, "is_shim") and bare.is_shim():
                return
            yield value
            if hasattr(bare, "is_entry") and bare.is_entry():
                return
            value = value["previous"]

    def key(self, value):
        """Where in which code the frame is; equal keys have equal file, line and function."""
        if self.fields is None:
            present = [field.name for field in value.type.strip_typedefs().target().fields()]
            known = [pair for pair in self.KEYS if pair[0] in present and pair[1] in present]
            self.fields = known[0] if known else ()
        try:
            return tuple(int(value[field]) for field in self.fields) or None
        except gdb.error:
            return None

    def op_of(self, value):
        if "PyFramePtr" in self.names:
            return self.names["PyFramePtr"](value)
        return self.names["PyFrameObjectPtr"].from_pyobject_ptr(value)

    def code_of(self, op):
        return op.co if hasattr(op, "co") else op._f_code()

    def describe(self, value):
        """Text of a frame, and how many of its arguments to look at for those of a signal handler."""
        key = self.key(value)
        if key is not None and key in self.places:
            return self.places[key]
        op = self.op_of(value)
        code = self.code_of(op)
        line = op.current_line_num()
        name = op.co_name.proxyval(set())
        try:
            name = code.pyop_field("co_qualname").proxyval(set())
        except (gdb.error, KeyError, RuntimeError):
            pass
        first = int(code.field("co_firstlineno"))
        arguments = int(code.field("co_argcount"))
        takes_rest = int(code.field("co_flags")) & 4
        text = '    File "%s", line %s, in %s [def line %d]' % (
            quoted(unmixed(op.filename())), "?" if line is None else line, quoted(unmixed(name)), first)
        # handler(signum, frame), a method of that kind, or handler(*args).
        place = (text, arguments + (1 if takes_rest else 0) if arguments in (2, 3) or takes_rest else 0)
        if key is not None:
            self.places[key] = place
        return place

    def signal_of(self, value, count):
        """The signal number when the arguments are those of a signal handler: a number, then a frame."""
        previous = None
        for index, (_, argument) in enumerate(self.op_of(value).iter_locals()):
            if index >= count:
                return None
            kind = argument.safe_tp_name()
            if kind == "tuple":
                items = [argument[i] for i in range(min(2, int(argument.field("ob_size"))))]
                wrap = self.names["PyObjectPtr"].from_pyobject_ptr
                items = [wrap(item) for item in items]
                if len(items) == 2 and items[0].safe_tp_name() == "int" and items[1].safe_tp_name() == "frame":
                    return int(items[0].proxyval(set()))
            if previous is not None and kind == "frame":
                return previous
            previous = int(argument.proxyval(set())) if kind == "int" else None
        return None

    def lines(self, frame):
        for value in self.chain(frame):
            try:
                text, handler = self.describe(value)
                number = None
                if handler:
                    try:
                        number = self.signal_of(value, handler)
                    except (gdb.error, RuntimeError, ValueError, TypeError, AttributeError):
                        pass
                yield text + (" [signal %d]" % number if number is not None and 0 < number < 65 else "")
                if LOCALS:
                    for line in self.locals(value):
                        yield line
            except (gdb.error, RuntimeError, ValueError, TypeError, AttributeError, KeyError):
                self.unreadable += 1

    def locals(self, value):
        for index, (name, held) in enumerate(self.op_of(value).iter_locals()):
            if index == LOCALS_OF_FRAME:
                yield "        ..."
                return
            try:
                text = held.get_truncated_repr(200)
            except (gdb.error, RuntimeError, ValueError, TypeError):
                text = "<unreadable>"
            yield "        %s = %s" % (quoted(name.proxyval(set())), quoted(text))


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


DEBUG_FOLDERS = "/usr/lib/debug"
shown = re.search(r'is "(.*)"', run("show debug-file-directory") or "")
if shown:
    DEBUG_FOLDERS = shown.group(1)
main()
