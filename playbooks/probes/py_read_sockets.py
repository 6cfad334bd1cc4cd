"""Which socket a frame that stands still has to do with: from its local variables to a file descriptor.

A socket object keeps its descriptor right after its head (Modules/socketmodule.h, PySocketSockObject.sock_fd). Libraries
hold it in an attribute, directly or by way of the transport of asyncio, which keeps the number itself.
"""
import struct

from py_read_blocks import locals_at
from py_read_memory import Torn
from py_read_stacks import reference_bits

SOCKETS = ('_socket.socket', '_socket.SocketType')
NUMBER = '_sock_fd'
# Attributes that lead on to a socket: of socket objects that wrap one, of streams, protocols and transports.
LEADS = ('_sock', 'sock', 'fd', '_transport', 'transport', '_protocol', 'protocol', '_reader', '_writer', '_socket')
FRAMES_MOST, LOCALS_MOST, STEPS_MOST = 4, 12, 4


class Sockets(object):
    """Finds the descriptors of sockets of one process."""

    def __init__(self, objects, dicts, codes):
        self.objects = objects
        self.memory = objects.memory
        self.dicts = dicts
        self.codes = codes
        self.locals_at = locals_at(objects.layout)
        self.bits = reference_bits(objects.layout)

    def of(self, frames):
        """The descriptor that the innermost of `frames` lead to, from the innermost outwards; None without one."""
        for value in self.locals(frames):
            descriptor = self._descriptor(value, STEPS_MOST)
            if descriptor is not None:
                return descriptor
        return None

    def locals(self, frames):
        """Yields the values of local variables of the innermost of `frames`, as addresses, from the innermost outwards."""
        for address, code, _ in frames[:-FRAMES_MOST - 1:-1]:
            try:
                count = min(self.codes.get(code).locals_count, LOCALS_MOST)
                data = self.memory.read(address + self.locals_at, 8 * count) if count > 0 else b''
            except Torn:
                continue
            for value in struct.unpack('<%dQ' % (len(data) // 8), data):
                yield value & self.bits

    def _descriptor(self, address, steps):
        try:
            if not address:
                return None
            kinds = self.objects.bases(self.objects.type_of(address))
            if any(name in SOCKETS for name in kinds):
                number = self.memory.int32(address + self.objects.layout['PySocketSockObject.sock_fd'])
                return number if number >= 0 else None
            found = self.dicts.attributes(address, (NUMBER,) + LEADS)
            if NUMBER in found:
                number = self.objects.integer(found[NUMBER])
                if number is not None:
                    return number
        except Torn:
            return None
        for name in LEADS if steps else ():
            descriptor = self._descriptor(found[name], steps - 1) if name in found else None
            if descriptor is not None:
                return descriptor
        return None
