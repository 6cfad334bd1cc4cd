"""How a program calls its containers: `app.SESSIONS`, `app.Registry.seen`, `app.service.queue`, or a local variable.

Walks from the modules and from the local variables of all threads outwards, the program's own modules before those of
libraries, nearest first, within limits of time and number. Contents of strings are never read, except names.
"""
import re
import struct
import time
from collections import deque

from py_read_memory import Torn, Unreadable
from py_read_references import ATTRIBUTE, CACHE, ITEM, KEY, LEAVES
from py_read_stacks import StackReader
from py_read_threads import ThreadList
from py_read_types import TYPE_SUBCLASS

LIBRARY = re.compile(r'^<|(^|/)((site|dist)-packages|lib(64)?/python\d[\w.]*|python\d+\.zip)(/|$)')
DEPTH_MOST = 7
NODES_MOST = 150000
ITEMS_LOOKED_AT = 3000  # of a container that is not a namespace
ITEMS_FOLLOWED = 100
NAMES_MOST = 4000  # of a namespace
THREADS_MOST, FRAMES_MOST = 100, 60


class Holder(object):
    """How a container is called. `path` as above; `name` its last part; `file` where it was met first, or ''.

    `kind` is `global`, `attribute`, `local` or `cache`; `function` the function whose local variable or cache it is;
    `line` that function's first.
    """

    __slots__ = ('path', 'name', 'file', 'kind', 'function', 'line', 'library', 'bound', 'owner')

    def __init__(self, path, name, file, kind='global', function='', line=0, library=False):
        self.path, self.name, self.file, self.kind = path, name, file, kind
        self.function, self.line, self.library = function, line, library
        self.bound = None
        self.owner = 0


class Holders(object):
    """Finds names for containers. `found`: {address of the container: Holder}. `files`: those of the program itself."""

    def __init__(self, references, codes):
        self.references = references
        self.codes = codes
        self.objects = references.objects
        self.memory = references.memory
        self.layout = references.layout
        self.version = references.version
        self.types = references.types
        self.dicts = references.dicts
        self.containers = references.containers
        self.found = {}
        self.files = []
        self.module_files = {}
        self.complete = True
        self.threads = 0
        self.frames = []  # (function, file, line) of the first thread, outermost first
        self._seen = set()
        self._texts = {}
        self._free = {}

    def walk(self, seconds):
        """Walks for at most so many seconds of CPU. What was found stays in `found`."""
        deadline = time.process_time() + seconds
        modules = self._modules()
        for roots in ([module for module in modules if not module[2].library], self._locals(),
                      [module for module in modules if module[2].library]):
            self._drain(deque(root for root in roots if root[3] == 0 or root[0] not in self._seen), deadline)

    def _drain(self, queue, deadline):
        while queue:
            if time.process_time() > deadline or len(self._seen) > NODES_MOST:
                self.complete = False
                queue.clear()
                return
            address, kind, holder, depth = queue.popleft()
            try:
                self._expand(queue, address, kind, holder, depth)
            except Torn:
                continue

    def _expand(self, queue, address, kind, holder, depth):
        namespace = kind.name == 'dict' and holder.kind == 'namespace'
        most = NAMES_MOST if namespace else ITEMS_LOOKED_AT
        found = self.references.of(address, kind, most)
        if holder.kind == 'closure' and kind.name == 'tuple':
            found = self._closure(address, found)
        found = [each for each in found if each[0] != KEY and each[2] not in self._seen]
        kinds = self.references.kinds([each[2] for each in found])
        followed = 0
        for (how, name, target), target_kind in zip(found, kinds):
            if target_kind is None or target_kind.name in LEAVES or target in self._seen:
                continue
            if target_kind.name == 'module' and depth:
                continue
            self._seen.add(target)
            following = self._called(holder, how, name, target, target_kind, kind, address)
            if following is None:
                continue
            if self.containers.family(target_kind.address) and following.kind != 'namespace':
                self.found.setdefault(target, following)
            followed += 1
            if depth < DEPTH_MOST and (namespace or followed <= ITEMS_FOLLOWED):
                queue.append((target, target_kind, following, depth + 1))

    def _called(self, holder, how, name, target, target_kind, kind, address):
        """The Holder of what `holder` refers to in this way, None for what is not to be followed."""
        if name == '__closure__':
            self._free[target] = self._variables(self.memory.word(address + self.layout['PyFunctionObject.func_code']))
            return Holder(holder.path, holder.name, holder.file, 'closure', library=holder.library)
        if name == '__dict__':
            return Holder(holder.path, holder.name, holder.file, 'namespace', holder.function, holder.line, holder.library)
        text = name if not isinstance(name, int) else self.text(name)
        if how == ITEM and holder.kind != 'namespace':
            if kind.name in ('tuple', 'cell') or not text:
                text = None
            path, last = holder.path + '[]', holder.name
            return Holder(path, last, holder.file, holder.kind, holder.function, holder.line, holder.library)
        if text is None or text.startswith('__') and text not in ('__wrapped__', '__closure__', '__defaults__', '__self__', '__func__'):
            return None
        file, library = holder.file, holder.library
        if text == CACHE:
            bound = struct.unpack('<q', self.memory.read(address + self.layout['lru_cache_object.maxsize'], 8))[0]
            if self.version == (3, 6):
                bound = self.objects.integer(bound) if self.objects.is_instance(bound, 'int') else -1
            made = Holder(holder.path, holder.name, file, 'cache', holder.name, self._first_line(address), library)
            made.bound = bound if bound is not None and bound >= 0 else None
            return made
        if not text:
            return Holder(holder.path, holder.name, file, holder.kind, holder.function, holder.line, library)
        made = Holder('%s.%s' % (holder.path, text), text, file, 'global' if not holder.path.count('.') and not holder.function
                      else 'attribute', holder.function, holder.line, library)
        made.owner = address
        return made

    def _closure(self, address, found):
        """The references of a function's closure, with the names of its free variables: a code's last ones."""
        names = self._free.get(address, ())
        return [(ATTRIBUTE, name, each[2]) for name, each in zip(names[-len(found):], found)] if found else []

    def _first_line(self, wrapper):
        """The line of the `def` of the function that functools.lru_cache wraps, 0 when it is not known."""
        try:
            function = self.memory.word(wrapper + self.layout['lru_cache_object.func'])
            if self.objects.is_instance(function, 'function'):
                return self.codes.get(self.memory.word(function + self.layout['PyFunctionObject.func_code'])).first_line
        except Torn:
            pass
        return 0

    def text(self, address):
        """The str at `address`, None for anything else."""
        if address not in self._texts:
            try:
                self._texts[address] = self.objects.string(address)
            except Torn:
                self._texts[address] = None
        return self._texts[address]

    def _modules(self):
        """(address of its dict, Type, Holder, 0) of each module: `__main__` and the program's own first."""
        runtime, layout = self.objects.runtime, self.layout
        offset = layout.first('PyInterpreterState.imports.modules', 'PyInterpreterState.modules')
        found = []
        for interpreter in runtime.interpreters():
            try:
                items = self.dicts.items(self.memory.word(interpreter + offset))
            except Torn:
                continue
            for key, module in items:
                found.extend(self._module(key, module))
        return sorted(found, key=lambda each: (each[2].library, each[2].path != '__main__'))

    def _module(self, key, module):
        try:
            name = self.objects.string(key)
            if not self.objects.is_instance(module, 'module'):
                return []
            names = self.memory.word(module + self.layout['PyModuleObject.md_dict'])
            if names in self._seen:
                return []
            self._seen.add(names)
            file = self.dicts.value(names, '__file__')
            path = self.objects.string(file) if file else ''
            if path.endswith('.pyc'):
                path = path[:-1]
            library = name != '__main__' and (not path or LIBRARY.search(path) is not None)
            self.module_files[name] = path
            if path and not library:
                self.files.append(path)
            kind = self.references.kind(names)
        except Torn:
            return []
        return [(names, kind, Holder(name, name, path, 'namespace', library=library), 0)] if kind else []

    def _locals(self):
        """(address, Type, Holder, 1) of what the local variables of the threads' frames refer to."""
        reader = StackReader(self.memory, self.layout)
        try:
            threads = ThreadList(self.memory, self.objects.runtime).read()
        except (Torn, Unreadable):
            return []
        found = []
        self.threads = len(threads)
        for thread in threads[:THREADS_MOST]:
            try:
                _, _, chain = reader.prove(thread.address, lambda chain: True)
                if len(threads) == 1:
                    self.frames = [(code.name.rpartition('.')[2], code.file, code.line_at(offset))
                                   for _, code, offset in self.codes.visible(chain.frames[:FRAMES_MOST])]
                for frame, address, _ in chain.frames[-FRAMES_MOST:]:
                    if address:
                        found.extend(self._frame(frame, address, reader))
            except Torn:
                continue
        return found

    def _frame(self, frame, address, reader):
        code = self.codes.get(address)
        if LIBRARY.search(code.file) or code.name == '<module>':
            return []
        if code.file not in self.files:
            self.files.append(code.file)
        names = self._variables(address)
        at = frame + self.layout.first('_PyInterpreterFrame.localsplus', 'PyFrameObject.f_localsplus')
        words = [word & reader.bits for word in
                 struct.unpack('<%dQ' % len(names), self.memory.read(at, 8 * len(names)))] if names else []
        pairs = [(name, word) for name, word in zip(names, words) if word and word not in self._seen]
        found = []
        for (name, word), kind in zip(pairs, self.references.kinds([word for _, word in pairs])):
            if kind is None or kind.name in LEAVES or kind.name == 'module' or word in self._seen or kind.flags & TYPE_SUBCLASS:
                continue
            # A module's class or instance that a variable happens to refer to is called after the module.
            holder = Holder('%s' % name, name, code.file, 'local', code.name, code.first_line)
            if self.containers.family(kind.address):
                self.found.setdefault(word, holder)
            found.append((word, kind, holder, 1))
        return found

    def _variables(self, code):
        """Names of the local variables, cells and free variables of a code object, in the order of a frame's slots."""
        layout, names = self.layout, []
        fields = ('co_localsplusnames',) if self.version >= (3, 11) else ('co_varnames', 'co_cellvars', 'co_freevars')
        for field in fields:
            at = self.memory.word(code + layout['PyCodeObject.' + field])
            kind = self.references.kind(at)
            if kind is None or kind.name != 'tuple':
                raise Torn('no names')
            names.extend(self.text(each) or '?' for _, _, each in self.references.of(at, kind))
        return names
