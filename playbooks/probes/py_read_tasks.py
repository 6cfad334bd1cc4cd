"""Finds the asyncio tasks of a process and what each of them waits for (Modules/_asynciomodule.c, asyncio/tasks.py).

Until 3.13 asyncio keeps its tasks in a WeakSet that its module shows; from 3.14 on each thread has a list of its own,
whose place the module publishes (`_AsyncioDebug`, section .AsyncioDebug).
"""
import os
import struct

from py_read_elf import Module
from py_read_memory import Torn
from py_read_strands import Strand
from py_read_suspended import RUNNING, SUSPENDED, Suspended

TASKS_MOST = 20000  # that are counted
SET_MOST = 1 << 18  # entries of a set
PENDING = 0
TASK_LOOP = 16  # TaskObj.task_loop is the first field after the head
WEAK = ('weakref', 'weakref.ReferenceType', 'weakref.KeyedRef', 'KeyedRef')
# Names under which modules show sets of tasks: weak ones, and 3.12's set of those that have not been suspended yet.
SETS = ('_all_tasks', '_scheduled_tasks', '_eager_tasks')
DEBUG = ('size', 'task_name', 'task_awaited_by', 'task_is_task', 'task_awaited_by_is_set', 'task_coro', 'task_node',
         'interpreter_size', 'interpreter_head', 'thread_size', 'running_loop', 'running_task', 'thread_head')


class Tasks(object):
    """The tasks of one process. `complete` is False when not all of them could be found."""

    def __init__(self, objects, dicts, runtime):
        self.objects = objects
        self.memory = objects.memory
        self.layout = objects.layout
        self.version = objects.version
        self.dicts = dicts
        self.runtime = runtime
        self.complete = True
        self.suspended = Suspended(objects)
        self._debug = None
        self._loops = {}
        self._at = self._none = None

    @staticmethod
    def known(version):
        """Whether tasks of this version can be found: to 3.6 no module shows where they are."""
        return version >= (3, 7)

    def find(self, modules, interpreter, threads):
        """(address, type, whether it is C's) of the tasks that are not done. `modules`: {name: address} of loaded ones.

        `threads`: those of the process, with `address` and `ident`. Raises Torn.
        """
        self.complete = True
        native, own = self._natives(list(dict.fromkeys(self._addresses(modules, interpreter, threads))))
        return [head[:2] + (True,) for head in self._heads(native)] + \
            [head[:2] + (False,) for head in self._own_heads(own)]

    def _addresses(self, modules, interpreter, threads):
        """Addresses of all tasks, in no order. Raises Torn."""
        if self.version >= (3, 14):
            for address in self._listed(interpreter, threads):
                yield address
        for module in ('_asyncio', 'asyncio.tasks'):
            if module not in modules:
                continue
            for name, value in self.dicts.values(self._module_dict(modules[module]), SETS).items():
                for address in self._members(value):
                    yield address

    def _module_dict(self, module):
        return self.memory.word(module + self.layout['PyModuleObject.md_dict'])

    def _members(self, address):
        """Addresses of the members of a set, or of what a WeakSet refers to."""
        memory, layout = self.memory, self.layout
        if not self.objects.is_instance(address, 'set'):
            address = self.dicts.attribute(address, 'data') if address else 0
            if not address or not self.objects.is_instance(address, 'set'):
                return []
        slots = memory.word(address + layout['PySetObject.mask']) + 1
        if slots > SET_MOST:
            slots, self.complete = SET_MOST, False
        entries = memory.read(memory.word(address + layout['PySetObject.table']), slots * 16)
        keys = [key for key in struct.unpack('<%dQ' % (2 * slots), entries)[::2] if key]
        members = []
        for key, head in zip(keys, memory.read_all([(key, 24) for key in keys])):
            if not head:
                continue
            kind, referent = struct.unpack_from('<QQ', head, 8)
            members.append(referent if self._named(kind, WEAK) else key)
        return members

    def _named(self, kind, names):
        try:
            return self.objects.type_name(kind) in names
        except Torn:
            return False

    def _listed(self, interpreter, threads):
        """The tasks in the lists of 3.14: one for each thread, one for those whose thread has ended."""
        if self._debug is None:
            self._debug = published(self.memory, self.runtime.module.name)
        if not self._debug:
            return
        node_at = self._debug['task_node']
        heads = [thread.address + self._debug['thread_head'] for thread in threads]
        for head in heads + [interpreter + self._debug['interpreter_head']]:
            node, count = self.memory.word(head), 0
            while node and node != head and count < TASKS_MOST:
                yield node - node_at
                node, count = self.memory.word(node), count + 1
            self.complete = self.complete and count < TASKS_MOST

    def _natives(self, addresses):
        """The addresses of C tasks, and those of tasks written in Python."""
        native, own = [], []
        for address, head in zip(addresses, self.memory.read_all([(address, 16) for address in addresses])):
            if head is None:
                continue
            kind = struct.unpack_from('<Q', head, 8)[0]
            try:
                kinds = self.objects.bases(kind)
            except Torn:
                continue
            if '_asyncio.Task' in kinds:
                native.append((address, kind))
            elif any(name in ('Task', '_PyTask') for name in kinds):
                own.append((address, kind))
        return native, own

    def _fields(self):
        """Offsets of (loop, state, fut_waiter, coro, name or None) in a C task."""
        if self._at is None:
            if self._debug:
                self._at = (TASK_LOOP, self._debug['task_awaited_by'] + 8, self._debug['task_coro'] - 8,
                            self._debug['task_coro'], self._debug['task_name'])
            else:
                at = self.layout
                self._at = (TASK_LOOP, at['TaskObj.task_state'], at['TaskObj.task_fut_waiter'],
                            at['TaskObj.task_coro'], at.get('TaskObj.task_name'))
        return self._at

    def _heads(self, tasks):
        """What of each C task that is not done is needed: (address, type, loop, waiter, coro, name, pieces)."""
        loop, state, waiter, coro, name = self._fields() if tasks else (0,) * 5
        size = max(coro, name or 0) + 8
        found = []
        for (address, kind), head in zip(tasks, self.memory.read_all([(address, size) for address, _ in tasks])):
            if head is None or struct.unpack_from('<i', head, state)[0] != PENDING:
                continue
            word = lambda at: struct.unpack_from('<Q', head, at)[0]
            found.append((address, kind, word(loop), word(waiter), word(coro), name and word(name),
                          [(address + waiter, head[waiter:])]))
        return found

    def _own_heads(self, tasks):
        """The same of tasks that are written in Python, which keep all of it in their attributes."""
        found = []
        for address, kind in tasks:
            try:
                own = self.dicts.attributes(address, ('_loop', '_state', '_fut_waiter', '_coro', '_name'))
                if own.get('_coro') and self.objects.string(own['_state']) == 'PENDING':
                    found.append((address, kind, own.get('_loop', 0), own.get('_fut_waiter', 0), own['_coro'],
                                  own.get('_name', 0), []))
            except (Torn, KeyError):
                continue
        return found

    def strands(self, tasks):
        """The Strands of tasks as `find` gives them, without those that are done by now; `frames` is None when torn."""
        heads = self._heads([task[:2] for task in tasks if task[2]])
        heads.extend(self._own_heads([task[:2] for task in tasks if not task[2]]))
        chains = self.suspended.chains([head[4] for head in heads])
        strands = []
        for (address, kind, loop, waiter, coro, name, pieces), chain in zip(heads, chains):
            strand = Strand(address, self._type_name(kind))
            strand.called, strand.loop = name or 0, loop
            strand.ident = self._loop_ident(loop)
            strand.frames = strand.pieces = None
            if chain.pieces is not None:
                strand.pieces = pieces + chain.pieces
                strand.frames = [] if chain.state == RUNNING else chain.frames
                strand.awaits = chain.leaf or self._waiter(waiter)
                strand.state = chain.state
                if chain.state == SUSPENDED:
                    strand.state = 'ready' if self._is_none(waiter) else 'waiting'
            strands.append(strand)
        return strands

    def _type_name(self, kind):
        try:
            return self.objects.type_name(kind)
        except Torn:
            return '?'

    def _is_none(self, address):
        if address and address != self._none and self.objects.is_instance(address, 'NoneType'):
            self._none = address
        return not address or address == self._none

    def _waiter(self, address):
        try:
            if self._is_none(address):
                return None
            return self._type_name(self.objects.type_of(address)), address
        except Torn:
            return None

    def name(self, address):
        """The text of a task's name, empty without one. From 3.12 on it is a number until somebody asks for it."""
        try:
            if address and self.objects.is_instance(address, 'str'):
                return self.objects.string(address)
            number = self.objects.integer(address) if address else None
            return '' if number is None else 'Task-%d' % number
        except Torn:
            return ''

    def _loop_ident(self, loop):
        """The ident of the thread that runs a loop (BaseEventLoop._thread_id), None when it cannot be told."""
        if loop not in self._loops:
            try:
                own = self.dicts.attribute(loop, '_thread_id')
                self._loops[loop] = self.objects.integer(own) if own else None
            except Torn:
                self._loops[loop] = None
        return self._loops[loop]


def published(memory, interpreter):
    """{name: offset} of what asyncio's module publishes (3.14: Modules/_asynciomodule.c), {} where it cannot be found.

    `interpreter`: name of the file with the interpreter, for builds in which asyncio's module is a part of it.
    """
    maps = memory.maps()
    for wanted in (b'_asyncio', interpreter.encode('utf-8', 'surrogateescape')):
        mine = [mapping for mapping in maps if mapping.inode and wanted in os.path.basename(mapping.path)]
        if not mine:
            continue
        mine = [mapping for mapping in mine if mapping.inode == mine[0].inode]
        try:
            module = Module(memory, mine[0].path, mine, maps)
        except (Torn, struct.error, OSError):
            continue
        try:
            address = module.section('.AsyncioDebug') or module.symbol('_AsyncioDebug')
            if address:
                numbers = struct.unpack('<%dQ' % len(DEBUG), memory.read(address, 8 * len(DEBUG)))
                if all(number < 1 << 24 for number in numbers):
                    return dict(zip(DEBUG, numbers))
        finally:
            module.close()
    return {}
