# Runs inside gdb before py-bt.gdb.py, in the same namespace: Python frames, read with CPython's own gdb helper.
#
# The helper's classes are used (Tools/gdb/libpython.py), not its py-bt command: that opens every source file which the
# process names, and a name may be a pipe that never ends.
import os
import re
import stat

import gdb

PY_FRAMES = 200
LOCALS = os.environ.get("STRACEBACK_LOCALS", "") == "1"
LOCALS_OF_FRAME = 30
PYTHON2 = False


def unmixed(text):
    """A name of Python 2, whose helper takes bytes for Latin-1."""
    if PYTHON2:
        try:
            return text.encode("latin-1").decode("utf-8")
        except (UnicodeError, AttributeError):
            pass
    return text


def trusted(path):
    """Why gdb may not run the file, or None; the path holds no links. It would run as the look's user, so nobody else may
    be able to write it, or any folder above it."""
    me = os.geteuid()
    folder = path
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
        # What is checked is what is opened: a link in between could point elsewhere the next moment.
        path = os.path.realpath(path)
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
