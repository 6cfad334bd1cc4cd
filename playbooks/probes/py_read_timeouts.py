"""The time limits of greenlets: those of the sockets that they wait on, and of the `with` blocks that they are in.

gevent's sockets keep theirs in `timeout`, eventlet's in `_timeout`; the Timeout objects of both keep `seconds`. Their timers
are not read: a greenlet of which no limit is seen may have one all the same.
"""
from py_read_limits import number_at
from py_read_memory import Torn

SOCKET = ('_sock', 'fd')
SOCKET_LIMITS = ('timeout', '_timeout')


class Timeouts(object):
    """The limits of the greenlets of one process. `sockets` is its py_read_sockets.Sockets, `blocks` its Blocks."""

    def __init__(self, objects, dicts, sockets, blocks):
        self.objects = objects
        self.dicts = dicts
        self.sockets = sockets
        self.blocks = blocks

    def of(self, frames):
        """The shortest of the limits (seconds) that can be seen from `frames`, None without one."""
        found = []
        for address in self.sockets.locals(frames):
            try:
                parts = self.dicts.attributes(address, SOCKET + SOCKET_LIMITS) if address else {}
                if any(name in parts for name in SOCKET):
                    found.extend(number_at(self.objects, parts[name]) for name in SOCKET_LIMITS if name in parts)
            except Torn:
                continue
        found.extend(self._block_limits(frames))
        return min([limit for limit in found if limit is not None] or [None])

    def _block_limits(self, frames):
        try:
            holds = self.blocks.holds(self.blocks.codes.visible(frames))
        except Torn:
            return
        for managers in holds.values():
            for kind, address in managers:
                if kind.rpartition('.')[2] != 'Timeout':
                    continue
                try:
                    yield number_at(self.objects, self.dicts.attribute(address, 'seconds'))
                except Torn:
                    continue
