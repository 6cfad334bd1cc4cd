"""Fills one large buffer that it reserved at its start, part by part."""
import os
import time

buffer = bytearray(1 << 30)
at = 0
while at < len(buffer):
    buffer[at:at + 262144] = b'x' * 262144
    at += 262144
    if at == 20 * 262144:
        print('standing %d' % os.getpid(), flush=True)
    time.sleep(0.03)
