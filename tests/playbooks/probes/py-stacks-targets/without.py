"""Runs py-stacks.py with some of its ways closed: without.py SCRIPT WAYS PID START-TIME SECONDS HZ.

WAYS, joined by commas: `files` (no ELF file can be opened), `symbol-NAME`, `section` (no named section), `vector` (no
process_vm_readv), `refused` (process_vm_readv is refused).
"""
import errno
import sys

script, ways = sys.argv[1], sys.argv[2].split(',')
names = {'__name__': 'py_stacks', '__file__': script}
with open(script) as source:
    exec(compile(source.read(), script, 'exec'), names)
import py_read_elf as elf
import py_read_memory as memory


def refused(*_):
    raise OSError(errno.EACCES, 'closed')


closed = [way[len('symbol-'):] for way in ways if way.startswith('symbol-')]
symbol = elf.Module.symbol
elf.Module.symbol = lambda self, name: None if name in closed else symbol(self, name)
if 'files' in ways:
    elf.FileImage = refused
if 'section' in ways:
    elf.Module.section = lambda self, name: None
if 'vector' in ways:
    memory.vector_reader = lambda pid: None
if 'refused' in ways:
    def never(pieces):
        return None
    never.refused = lambda: True
    memory.vector_reader = lambda pid: never
sys.exit(names['main'](sys.argv[3:]))
