"""Finds the CPython interpreter in a process: its ELF file, version, layout, and its list of interpreter states."""
import re
import struct

from py_read_elf import modules
from py_read_layout import published_layout, table_layout
from py_read_memory import Torn, Unreadable

COOKIE = b'xdebugpy'
# Include/patchlevel.h PY_VERSION_HEX, exported as Py_Version from 3.11 on: major, minor, micro, level and serial.
NAMED = re.compile(r'^(?:lib)?python(2\.7|3\.\d{1,2})[a-z]{0,3}(?:\.so[.\d]*)?(?: \(deleted\))?$')
# What Py_GetVersion() builds once and sys.version shows: `3.9.18 (main, Nov …) \n[GCC 12.2.0]` (Python/getversion.c).
BANNER = re.compile(rb'(2\.7|3\.\d{1,2})\.(\d{1,3})((?:a|b|rc)\d+)?\+? \([^\0]{3,200}\) ?\n?\[[^\0]{2,150}\]')
INTERPRETERS_MOST = 1000


class Runtime(object):
    """A found interpreter: `version` as text, `layout`, `module` (its ELF file), `address` of _PyRuntime or None.

    To 3.6 `head` is the address of `interp_head`. `current_thread` is where the thread state that holds the interpreter
    lock stands, or None.
    """

    def __init__(self, memory, module, address, version, layout):
        self.memory = memory
        self.module = module
        self.address = address
        self.version = version
        self.layout = layout
        self.notes = []
        self.head = None
        self.current_thread = None

    def interpreters(self):
        """Addresses of the interpreter states, main one first or last as the list has them. Raises Torn."""
        memory, layout = self.memory, self.layout
        found = []
        state = memory.word(self._head_address())
        while state:
            if state in found or len(found) >= INTERPRETERS_MOST:
                raise Torn('the list of interpreters has no end')
            found.append(state)
            state = memory.word(state + layout['PyInterpreterState.next'])
        return found

    def _head_address(self):
        if self.address is not None:
            return self.address + self.layout['_PyRuntimeState.interpreters.head']
        return self.head

    def first_thread(self, interpreter):
        """Address of the newest thread state of an interpreter, 0 for none."""
        return self.memory.word(self.first_thread_at(interpreter))

    def first_thread_at(self, interpreter):
        """Where an interpreter keeps that address."""
        return interpreter + self.layout.first('PyInterpreterState.threads.head', 'PyInterpreterState.tstate_head')

    def gil_holders(self, interpreters, threads):
        """The thread states (addresses) that hold an interpreter lock now. `threads` are those that exist."""
        memory, layout = self.memory, self.layout
        try:
            if self.current_thread:
                return [memory.word(self.current_thread)]
            if layout.get('PyInterpreterState.ceval.gil') is None:
                return []
            holders = []
            for interpreter in interpreters:
                gil = memory.word(interpreter + layout['PyInterpreterState.ceval.gil'])
                locked = memory.int32(gil + layout['_gil_runtime_state.locked'])
                holder = memory.word(gil + layout['_gil_runtime_state.last_holder'])
                if locked == 1 and holder in threads:
                    holders.append(holder)
            return holders
        except Torn:
            return []


def find_runtime(memory):
    """The interpreter of the process. Raises Unreadable when there is none, or none that can be read."""
    why = None
    for module in modules(memory):
        try:
            runtime = runtime_in(memory, module)
            if runtime is not None:
                return runtime
            if why is None and (NAMED.match(module.name) or module.symbol('Py_GetVersion')):
                why = Unreadable('not-applicable', '%s lacks the symbols that lead to a Python interpreter\'s threads: '
                                 'it is stripped of them, or not CPython.' % module.name)
        except Torn as torn:
            why = Unreadable('not-parsable', 'The interpreter in %s was found, but its memory makes no sense (%s).'
                             % (module.name, torn))
        finally:
            module.close()
    raise why or Unreadable('not-applicable', 'Process %d is not a CPython process: none of its files has an '
                            'interpreter.' % memory.pid)


def runtime_in(memory, module):
    """The Runtime of an ELF file that holds CPython; None for one that does not."""
    address = module.symbol('_PyRuntime') or module.section('.PyRuntime')
    current = head = None
    if address is None:
        head, current = old_globals(memory, module)
        if head is None:
            address = published_address(memory, module)
            if address is None:
                return None
    version, key = find_version(memory, module)
    if address is not None and key < (3, 7) or address is None and key >= (3, 7):
        raise Unreadable('not-parsable', 'Symbols and version (%s) of %s do not belong together.'
                         % (version, module.name))
    layout = published_layout(memory, address, key, version) if key >= (3, 13) else table_layout(key)
    runtime = Runtime(memory, module, address, version, layout)
    runtime.head = head
    runtime.current_thread = current
    offset = layout.get('_PyRuntimeState.gilstate.tstate_current')
    if address is not None and offset is not None:
        runtime.current_thread = address + offset
        if key == (3, 7) and int(re.split(r'\D', version)[2]) < 4:
            runtime.current_thread = None
            runtime.notes.append('Who holds the interpreter lock is not known for Python %s.' % version)
    if not runtime.interpreters():
        raise Unreadable('not-parsable', 'The interpreter in %s has not started yet, or has ended.' % module.name)
    return runtime


def published_address(memory, module):
    """_PyRuntime of a stripped 3.13 or later: it begins with a cookie."""
    for mapping in module.writable:
        try:
            data = memory.read(mapping.start, min(mapping.end - mapping.start, 16 << 20))
        except Torn:
            continue
        at = data.find(COOKIE)
        while at >= 0:
            if at % 8 == 0 and 0x030d0000 <= struct.unpack_from('<Q', data, at + 8)[0] < 0x04000000:
                return mapping.start + at
            at = data.find(COOKIE, at + 1)
    return None


def old_globals(memory, module):
    """Addresses of `interp_head` and `_PyThreadState_Current` (2.7 and 3.6, Python/pystate.c); (None, None) without."""
    current = module.symbol('_PyThreadState_Current')
    if current is None:
        return None, None
    head = module.symbol('interp_head')
    if head is None:
        function = module.symbol('PyInterpreterState_Head')
        head = loaded_address(memory, module, function) if function else None
    if head is None:
        raise Unreadable('not-applicable', '%s is stripped of the symbols that lead to its threads.' % module.name)
    return head, current


def loaded_address(memory, module, function):
    """The address of the global that a function of the form `return global;` loads, or None for any other form."""
    code = memory.read(function, 16)
    if module.machine == 'x86-64':
        code = code[4:] if code.startswith(b'\xf3\x0f\x1e\xfa') else code  # endbr64
        skipped = 4 if len(code) == 12 else 0
        if code[:3] == b'\x48\x8b\x05' and code[7:8] == b'\xc3':  # mov disp32(%rip),%rax; ret
            return function + skipped + 7 + struct.unpack_from('<i', code, 3)[0]
        return None
    words = struct.unpack_from('<IIII', code)
    if words[0] == 0xd503245f:  # bti c
        function, words = function + 4, words[1:]
    first, second, third = words[:3]
    if first & 0x9f00001f == 0x90000000 and second & 0xffc003ff == 0xf9400000 and third == 0xd65f03c0:
        pages = (first >> 5 & 0x7ffff) << 2 | first >> 29 & 3  # adrp x0, page; ldr x0, [x0, #offset]; ret
        pages -= 1 << 21 if pages & 1 << 20 else 0
        return (function & ~0xfff) + (pages << 12) + (second >> 10 & 0xfff) * 8
    return None


def find_version(memory, module):
    """The version as text and as (major, minor). Raises Unreadable when it cannot be told for sure."""
    symbol = module.symbol('Py_Version')
    if symbol:
        number = memory.word(symbol)
        major, minor, micro, level = number >> 24, number >> 16 & 255, number >> 8 & 255, number >> 4 & 15
        if major != 3 or not 11 <= minor < 64 or number >> 32:
            raise Unreadable('not-parsable', 'Py_Version of %s is %#x, which is no version.' % (module.name, number))
        release = {0xa: 'a', 0xb: 'b', 0xc: 'rc'}.get(level)
        return '%d.%d.%d%s' % (major, minor, micro, '%s%d' % (release, number & 15) if release else ''), (major, minor)
    found = {}
    for mapping in module.writable:
        for first in range(mapping.start, min(mapping.end, mapping.start + (64 << 20)), 1 << 20):
            try:
                data = memory.read(first, min(mapping.end - first, (1 << 20) + 512))
            except Torn:
                break
            for match in BANNER.finditer(data):
                text = b'.'.join(match.group(1, 2)) + (match.group(3) or b'')
                found[text.decode('ascii')] = tuple(int(part) for part in match.group(1).split(b'.'))
    named = NAMED.match(module.name)
    if named:
        key = tuple(int(part) for part in named.group(1).split('.'))
        found = dict((text, value) for text, value in found.items() if value == key)
    if len(found) != 1:
        raise Unreadable('not-parsable', 'The version of the interpreter in %s cannot be told.' % module.name)
    return list(found.items())[0]
