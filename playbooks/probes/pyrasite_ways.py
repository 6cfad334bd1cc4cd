"""The two ways in which the main thread of an interpreter is asked to run a script, at a point of its own choosing.

From 3.14 on, the interpreter's own protocol (PEP 768, Python/remote_debugging.c): the path of a script and a request are written into its
memory. Before, a pending call of PyRun_SimpleString with a text that stands in what is left over of the last page of
a file's data (pyrasite_pending.py). With neither is anything attached, and no code runs at a point that is not safe.
"""
import os
import struct

from py_read_elf import modules
from py_read_layout import PUBLISHED
from py_read_memory import Torn
from pyrasite_guard import Refused
from pyrasite_pending import find_ring, put

# What is published behind the offsets that the readers use, in 3.14 (Include/internal/pycore_debug_offsets.h).
MORE = ('generator.size', 'generator.name', 'generator.iframe', 'generator.state', 'llist.next', 'llist.prev', 'eval_breaker',
        'support', 'enabled', 'call', 'path', 'path_size')
PLEASE_STOP = 1 << 5  # _PY_EVAL_PLEASE_STOP_BIT, Include/internal/pycore_ceval.h
MARK = b'try:(lambda f:(eval(compile('
BOOT = MARK + b"f.read(),'<figures>','exec'),{}),f.close()))(open('%s'))\nexcept Exception:pass\n\0"
PAGE = os.sysconf('SC_PAGE_SIZE')


def ask(memory, runtime, script):
    """Asks for the script to be run. Returns in how many words it was asked. Raises Refused, Torn."""
    if runtime.layout.version >= (3, 14):
        ask_interpreter(memory, runtime, script)
        return 'its remote debugging interface'
    ask_by_call(memory, runtime, script)
    return 'a pending call'


def writable(memory):
    """The memory of the process, to write to: the same address space that was read."""
    memory.check_alive(memory.maps()[0].start)
    fd = os.open('/proc/%d/mem' % memory.pid, os.O_RDWR | os.O_CLOEXEC)
    memory.check_alive(memory.maps()[0].start)
    return fd


def ask_interpreter(memory, runtime, script):
    version = runtime.layout.version
    known = sum(len(line.split()) - 1 for line in PUBLISHED.get(version, '').splitlines() if line.strip())
    if version != (3, 14) or not known:
        raise Refused('the remote debugging interface of Python %d.%d is not known' % version)
    data = memory.read(runtime.address + 24 + 8 * known, 8 * len(MORE))
    at = dict(zip(MORE, struct.unpack('<%dQ' % len(MORE), data)))
    if not 256 <= at['path_size'] <= 65536 or max(at.values()) > 1 << 24 or len(script) >= at['path_size']:
        raise Refused('its remote debugging interface lies elsewhere than in the builds that are known')
    state = main_state(memory, runtime)
    interpreter = memory.word(state + runtime.layout['PyThreadState.interp'])
    if memory.int32(interpreter + at['enabled']) != 1:
        raise Refused('remote debugging is turned off in it')
    support = state + at['support']
    if memory.int32(support + at['call']):
        raise Refused('somebody else has asked it to run a script already')
    fd = writable(memory)
    try:
        os.pwrite(fd, os.fsencode(script) + b'\0', support + at['path'])
        os.pwrite(fd, struct.pack('<i', 1), support + at['call'])
        breaker = memory.word(state + at['eval_breaker'])
        os.pwrite(fd, struct.pack('<Q', breaker | PLEASE_STOP), state + at['eval_breaker'])
    finally:
        os.close(fd)


def main_state(memory, runtime):
    """The thread state of the process's first thread."""
    from py_read_threads import ThreadList
    states = [state.address for state in ThreadList(memory, runtime).read() if state.tid == memory.pid]
    if not states:
        raise Refused('its main thread runs no Python')
    return states[-1]


def spare(memory, size):
    """An address with `size` bytes of nobody's: behind the data of an ELF file, to the end of the page. Raises Refused."""
    for module in modules(memory):
        try:
            # The dynamic linker allocates from what is left of its own page (elf/dl-minimal.c).
            if module.name.startswith('ld'):
                continue
            end = max(module.bias + address + length for _, address, _, length in module._loads)
            start = (end + 63) // 64 * 64
            last = (end + PAGE - 1) // PAGE * PAGE
            ours = any(mapping.start <= end - 1 < mapping.end and last <= mapping.end for mapping in module.writable)
            if not ours or last - start < size:
                continue
            data = memory.read(start, last - start)
            if not data.strip(b'\0') or data.startswith(MARK):
                return start
        except Torn:
            continue
        finally:
            module.close()
    raise Refused('there is no room for the request in its memory')


def symbols_of(memory, runtime, *names):
    """Addresses of symbols of the interpreter's file, None when one is missing."""
    for module in modules(memory):
        try:
            if module.start == runtime.module.start:
                found = [module.symbol(name) for name in names]
                return found if all(found) else None
        finally:
            module.close()
    return None


def ask_by_call(memory, runtime, script):
    run = symbols_of(memory, runtime, 'PyRun_SimpleString')
    if run is None:
        raise Refused('%s does not offer the function that is needed' % runtime.module.name)
    ring = find_ring(memory, runtime, main_state(memory, runtime), lambda *names: symbols_of(memory, runtime, *names))
    text = BOOT % os.fsencode(script)
    at = spare(memory, len(text))
    fd = writable(memory)
    try:
        def write(address, data):
            os.pwrite(fd, data, address)
        write(at, text)
        put(memory, write, runtime, ring, run[0], at)
    finally:
        os.close(fd)
