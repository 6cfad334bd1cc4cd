"""What the objects of another process refer to.

Only references that an object owns and that are known from the declarations of its type are given, for those of the
collector that programs build their data from. Of a type that is not known here nothing is given: whoever adds up references
then finds some missing, and never one too many.
"""
import struct

from py_read_memory import Torn
from py_read_types import HEAPTYPE, TUPLE, TYPE_SUBCLASS

ITEMS_MOST = 400
ATTRIBUTE, ITEM, KEY = 'attribute', 'item', 'key'
CACHE = '@cache'  # what functools.lru_cache keeps of a function's results
# Offsets of the references of types of fixed size: Objects/cellobject.c, classobject.c, methodobject.c, funcobject.c,
# descrobject.c, Modules/_functoolsmodule.c.
FIXED = {
    'cell': ((16, ''),),
    'method': ((16, '__func__'), (24, '__self__')), 'instancemethod': ((16, '__func__'), (24, '__self__')),
    'builtin_function_or_method': ((24, '__self__'),), 'builtin_method': ((24, '__self__'),),
    'staticmethod': ((16, ''),), 'classmethod': ((16, ''),),
    'property': ((16, 'fget'), (24, 'fset'), (32, 'fdel')),
    'functools.partial': ((16, 'func'), (24, 'args'), (32, 'keywords')),
}
# Not followed by who looks for holders of data: they hold none, or lead back to all there is.
LEAVES = ('str', 'int', 'float', 'bool', 'NoneType', 'bytes', 'code', 'complex', 'long', 'unicode', 'ellipsis', 'range',
          'getset_descriptor', 'member_descriptor', 'wrapper_descriptor', 'method_descriptor', 'weakref', 'classmethod_descriptor',
          'method-wrapper', 'weakref.ReferenceType', 'frame', 'traceback')


class References(object):
    """References of objects of one process."""

    def __init__(self, types, containers, dicts):
        self.types = types
        self.containers = containers
        self.dicts = dicts
        self.objects = types.objects
        self.memory = types.memory
        self.layout = types.layout
        self.version = types.objects.version

    def kind(self, address):
        """The Type of the object at `address`, None when it has none."""
        return self.types.get(self.objects.type_of(address))

    def kinds(self, addresses):
        """The Types of many objects, None for those without."""
        words = []
        for piece in self.memory.read_all([(address + 8, 8) for address in addresses]):
            words.append(struct.unpack('<Q', piece)[0] if piece else 0)
        self.types.resolve(set(words))
        return [self.types.known.get(word) for word in words]

    def of(self, address, kind, most=ITEMS_MOST):
        """[(how, name, address)] of what the object at `address` of the Type `kind` owns. May raise Torn.

        `how` is ATTRIBUTE, ITEM or KEY; `name` a text, the address of a dict's key or None.
        """
        family = self.containers.family(kind.address)
        found = []
        if family:
            for key, value in self.containers.items(address, most):
                if key:
                    found.append((KEY, None, key))
                found.append((ITEM, key, value))
        elif kind.flags & TUPLE:
            found.extend((ITEM, None, word) for word in self._tuple(address, most))
        elif kind.name == 'function':
            found.extend(self._fields(address, (
                (self.layout['PyFunctionObject.func_defaults'], '__defaults__'),
                (self.layout.get('PyFunctionObject.func_kwdefaults'), '__kwdefaults__'),
                (self.layout['PyFunctionObject.func_closure'], '__closure__'),
                (self.layout['PyFunctionObject.func_dict'], '__dict__'))))
        elif kind.name == 'functools._lru_cache_wrapper' and self.version >= (3, 6):
            return self._fields(address, ((self.layout['lru_cache_object.cache'], CACHE),))
        elif kind.name in FIXED:
            return self._fields(address, FIXED[kind.name])
        elif kind.name == 'module':
            return self._fields(address, ((self.layout['PyModuleObject.md_dict'], '__dict__'),))
        elif kind.name == 'instance' and self.version == (2, 7):
            return self._fields(address, ((self.layout['PyInstanceObject.in_dict'], '__dict__'),))
        elif kind.name == 'classobj' and self.version == (2, 7):
            return self._fields(address, ((self.layout['PyClassObject.cl_dict'], '__dict__'),))
        elif kind.flags & TYPE_SUBCLASS:
            return self._fields(address, ((self.layout['PyTypeObject.tp_dict'], '__dict__'),))
        if kind.flags & HEAPTYPE:
            found.extend(self._instance(address, kind))
        return found

    def _tuple(self, address, most):
        count = self.memory.word(address + self.layout['PyVarObject.ob_size'])
        if count > 1 << 32:
            raise Torn('no tuple')
        count = min(count, most)
        at = address + self.layout['PyTupleObject.ob_item']
        words = struct.unpack('<%dQ' % count, self.memory.read(at, 8 * count)) if count else ()
        return [word for word in words if word]

    def _fields(self, address, fields):
        fields = [field for field in fields if field[0] is not None]
        pieces = self.memory.read_all([(address + offset, 8) for offset, _ in fields])
        words = [struct.unpack('<Q', piece)[0] if piece else 0 for piece in pieces]
        return [(ATTRIBUTE, name, word) for (_, name), word in zip(fields, words) if word]

    def _instance(self, address, kind):
        """What an instance of a class keeps in its __dict__, or in place of it, and in its slots."""
        found = []
        own, _, values = self.dicts.own_dict(address)
        if own:
            found.append((ATTRIBUTE, '__dict__', own))
        elif values:
            found.extend((ATTRIBUTE, key, value) for key, value in self.dicts.own_items(address))
        slots = self.dicts.slots(kind.address)
        found.extend(self._fields(address, [(offset, name) for name, offset in sorted(slots.items())]))
        return found
