"""Opens a compressor for every stream and keeps them all: objects of Python, each with native memory of its own."""
import os
import time
import zlib


class Hub:
    def __init__(self):
        self.streams = []

    def accept(self):
        stream = zlib.compressobj()
        stream.compress(b'hello')
        self.streams.append(stream)


hub = Hub()
while True:
    hub.accept()
    if len(hub.streams) == 60:
        print('standing %d' % os.getpid(), flush=True)
    time.sleep(0.03)
