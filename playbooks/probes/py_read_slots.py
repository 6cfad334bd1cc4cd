"""Where the frames and code objects of each version of Python keep the variables of a function, and their names."""
from py_read_cells import NoValue

# version: (locals of a frame, its globals, its f_locals, its instruction pointer, size of that)
FRAMES = {
    (2, 7): (376, 48, 56, 120, 4), (3, 6): (376, 48, 56, 120, 4), (3, 7): (360, 48, 56, 104, 4),
    (3, 8): (360, 48, 56, 104, 4), (3, 9): (360, 48, 56, 104, 4), (3, 10): (352, 48, 56, 96, 4),
    (3, 11): (72, 8, 24, 56, 8), (3, 12): (72, 24, 40, 56, 8), (3, 13): (72, 24, 40, 56, 8),
    (3, 14): (80, 24, 40, 56, 8),
}
# version: offsets in a code object of stack size, names of attributes and globals, and either the three tuples of
# locals, free and cell variables, or the one of all.
CODES = {
    (2, 7): (24, 48, (56, 72, 64)), (3, 6): (28, 56, (64, 80, 72)), (3, 7): (28, 56, (64, 80, 72)),
    (3, 8): (32, 64, (72, 88, 80)), (3, 9): (32, 64, (72, 88, 80)), (3, 10): (32, 64, (72, 88, 80)),
    (3, 11): (68, 32, (96,)), (3, 12): (64, 32, (96,)), (3, 13): (64, 32, (96,)),
    (3, 14): (64, 32, (96,)),
}


class Code(object):
    """What a code object says about its frames; it never changes."""

    def __init__(self, objects, version, address):
        stack_at, names_at, tuples_at = CODES[version]
        self.stack = objects.integer(address + stack_at)
        self.names = objects.names(objects.word(address + names_at))
        slots = []
        for at in tuples_at:
            names = objects.word(address + at)
            slots.extend(objects.names(names))
            if objects.tuple_size(names) > len(objects.names(names)):
                raise NoValue()
        self.slots = tuple(slots)
        if not 0 <= self.stack < 1000:
            raise NoValue()
