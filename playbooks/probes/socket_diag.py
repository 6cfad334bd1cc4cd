"""The kernel's own statistics of sockets: sock_diag(7) over netlink, and struct tcp_info of linux/tcp.h.

It is part of socket-rates.py, which loads it from the file beside it. Python 3.6 or later, standard library only.
"""
import socket
import struct
import time

SOCK_DIAG = 4
DUMP = struct.Struct('=IHHIIBBBBI48s')
STATES = '? ESTAB SYN-SENT SYN-RECV FIN-WAIT-1 FIN-WAIT-2 TIME-WAIT UNCONN CLOSE-WAIT LAST-ACK LISTEN CLOSING'.split()
# Seconds after which a list of all sockets is broken off.
PATIENCE = 2.0


class Statistics:
    """The kernel's socket statistics over one netlink socket."""

    def __init__(self):
        self.link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, SOCK_DIAG)
        self.link.settimeout(PATIENCE)
        self.link.bind((0, 0))
        self.turn = 0
        self.cut = False

    def dump(self, family, protocol, states, extension):
        """All sockets of a kind: the fixed part and the attributes of each."""
        self.turn += 1
        self.link.send(DUMP.pack(DUMP.size, 20, 0x301, self.turn, 0, family, protocol, extension, 0, states, b''))
        until = time.monotonic() + PATIENCE
        while True:
            answer = self.link.recv(1 << 17)
            at = 0
            while at + 16 <= len(answer):
                length, kind, flags, turn = struct.unpack_from('=IHHI', answer, at)
                if length < 16:
                    break
                if turn == self.turn:
                    if kind == 3:
                        return
                    if kind == 2:
                        raise OSError(-struct.unpack_from('=i', answer, at + 16)[0], 'the kernel gives no socket statistics')
                    if length >= 16 + 72:
                        yield answer[at + 16 : at + length]
                at += (length + 3) & ~3
            if time.monotonic() > until:
                self.cut = True
                return


def attribute(message, wanted):
    at = 72
    while at + 4 <= len(message):
        length, kind = struct.unpack_from('=HH', message, at)
        if length < 4:
            break
        if kind == wanted:
            return message[at + 4 : at + length]
        at += (length + 3) & ~3
    return b''


def end_of(message, peer):
    family = message[0]
    port = struct.unpack_from('>H', message, 6 if peer else 4)[0]
    raw = message[24:40] if peer else message[8:24]
    if family == socket.AF_INET:
        return '%s:%d' % (socket.inet_ntop(family, raw[:4]), port)
    return '[%s]:%d' % (socket.inet_ntop(family, raw), port)


def number(info, at, size):
    return struct.unpack_from('=I' if size == 4 else '=Q', info, at)[0] if len(info) >= at + size else None


class Tcp:
    """What the kernel counts for one connection: struct tcp_info of linux/tcp.h."""

    __slots__ = ('state', 'local', 'peer', 'unread', 'unsent', 'received', 'sent', 'heard', 'spoke', 'repeated', 'rtt', 'side')

    def __init__(self, message):
        info = attribute(message, 2)
        self.state = STATES[message[1]] if message[1] < len(STATES) else '?'
        self.local = end_of(message, False)
        self.peer = end_of(message, True)
        self.unread, self.unsent = struct.unpack_from('=II', message, 56)
        self.received = number(info, 128, 8)
        acked = number(info, 120, 8)
        # Kernels before 4.19 count only what was acknowledged.
        self.sent = number(info, 200, 8)
        # A client's SYN counts among what was acknowledged, a server's SYN-ACK does not (tcp_ack in tcp_input.c).
        self.side = '?'
        if acked is not None and self.sent is not None and self.unsent == 0:
            self.side = 'client' if acked == self.sent + 1 else 'server' if acked == self.sent else '?'
        self.sent = acked if self.sent is None else self.sent
        self.spoke = number(info, 44, 4)
        self.heard = number(info, 52, 4)
        self.rtt = number(info, 68, 4)
        self.repeated = number(info, 100, 4)
