"""Which compiled regular expression a frame is matching, read from the operands of its call.

The matching runs in C without a frame of its own. While it lasts, the caller's value stack holds what it was called
with: the method, the compiled pattern and the subject (Python/ceval.c, CALL_METHOD and CALL). The pattern's text is
part of the program and is given; of the subject only its type and length are.

Standard library only, Python 3.6 and newer.
"""
from py_read_cells import NoValue

COMPILED = ('re.Pattern', '_sre.SRE_Pattern')
BOUND = ('builtin_function_or_method', 'builtin_method')
METHODS = ('match', 'fullmatch', 'search', 'sub', 'subn', 'split', 'findall', 'finditer')
SUBJECTS = ('str', 'unicode', 'bytes', 'bytearray')
ARGUMENTS = 3
TEXT_AT = 48  # PatternObject.pattern of Modules/_sre.h (sre.h from 3.12 on), the same from 2.7 to 3.13
NAME_AT, SELF_AT, DEFINITION_AT = 24, 24, 16  # of a method descriptor; of a bound C method
SHOWN_MOST = 400
SUBJECT_MOST = 1 << 40


class Patterns(object):
    """Reads calls of one process; `objects` is a py_read_values.Values."""

    def __init__(self, objects):
        self.objects = objects
        self.texts = {}

    def call(self, operands):
        """(method, text of the pattern or None, type and length of the subject) of a call among a frame's operands, or None."""
        for index, pointer in enumerate(operands):
            if not pointer:
                continue
            try:
                found = self._call_at(operands, index)
            except NoValue:
                continue
            if found:
                return found
        return None

    def _call_at(self, operands, index):
        objects = self.objects
        pointer = operands[index]
        kind = objects.type_of(pointer)[0]
        if kind == 'method_descriptor':
            rest = operands[index + 1:]
            if not rest or not rest[0] or objects.type_of(rest[0])[0] not in COMPILED:
                return None
            method, compiled, arguments = objects.text(objects.word(pointer + NAME_AT)), rest[0], rest[1:]
        elif kind in BOUND:
            compiled = objects.word(pointer + SELF_AT)
            if not compiled or objects.type_of(compiled)[0] not in COMPILED:
                return None
            method = objects.c_string(objects.word(objects.word(pointer + DEFINITION_AT)))
            arguments = operands[index + 1:]
        else:
            return None
        if method not in METHODS:
            return None
        texts = self._texts(arguments[:ARGUMENTS])
        # A replacement comes before the subject, unless it is a function.
        return (method, self._text(compiled)) + (texts[:2][-1] if 'sub' in method else texts[0]) if texts else None

    def _texts(self, arguments):
        """Type and length of each text among the arguments."""
        found = []
        for pointer in arguments:
            try:
                kind = self.objects.type_of(pointer)[0] if pointer else None
                length = self.objects.number(pointer + 16) if kind in SUBJECTS else -1
            except NoValue:
                continue
            if 0 <= length < SUBJECT_MOST:
                found.append((kind, length))
        return found

    def _text(self, compiled):
        if compiled not in self.texts:
            try:
                self.texts[compiled] = self._characters(self.objects.word(compiled + TEXT_AT))
            except NoValue:
                return None
        return self.texts[compiled]

    def _characters(self, address):
        """The text of a str or bytes object, its beginning only when it is long. Raises NoValue."""
        objects = self.objects
        kind = objects.type_of(address)[0]
        length = objects.number(address + 16)
        if not 0 <= length < SUBJECT_MOST:
            raise NoValue()
        length = min(length, SHOWN_MOST)
        if kind == 'bytes' or kind == 'str' and objects.version < (3,):
            return objects.bytes(address + (32 if objects.version >= (3,) else 36), length).decode('latin-1')
        if kind != 'str':
            raise NoValue()
        # Include/cpython/unicodeobject.h: two bits interned, three bits kind, then compact and ascii.
        state = objects.integer(address + 32)
        width, compact, ascii_only = state >> 2 & 7, state >> 5 & 1, state >> 6 & 1
        if not compact or width not in (1, 2, 4):
            raise NoValue()
        older = objects.version < (3, 12)
        at = address + ((48 if older else 40) if ascii_only else (72 if older else 56))
        data = objects.bytes(at, length * width)
        return data.decode({1: 'latin-1', 2: 'utf-16-le', 4: 'utf-32-le'}[width], 'replace')
