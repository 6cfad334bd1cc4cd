# Runs inside gdb before py-bt.gdb.py, in the same namespace: symbols, before the process is stopped.
#
# The executable and every mapped library are loaded at their addresses, and the debug information behind the functions
# that eu-stack has just seen on the stacks (addresses on standard input) is read. Written for the Python of any gdb since
# 7.6.
import os
import re
import sys

import gdb

PID = os.environ["STRACEBACK_PID"]
ROOT = os.environ.get("STRACEBACK_ROOT", "")


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


def written(text):
    """A line for standard output; gdb's own stream may refuse what is not in the locale's character set."""
    data = text if isinstance(text, bytes) else text.encode("utf-8", "replace")
    getattr(sys.__stdout__, "buffer", sys.__stdout__).write(data + b"\n")


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


DEBUG_FOLDERS = "/usr/lib/debug"
shown = re.search(r'is "(.*)"', run("show debug-file-directory") or "")
if shown:
    DEBUG_FOLDERS = shown.group(1)
