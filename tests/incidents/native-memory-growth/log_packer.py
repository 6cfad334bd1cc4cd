"""Packs log lines with a C extension, in a thread beside the one that waits. The extension is in the folder given."""
import os
import sys
import threading
import time

sys.path.insert(0, sys.argv[1])
import packed  # noqa: E402


def pack_lines():
    line = 'GET /index.html 200 ' * 40
    done = 0
    while True:
        for _ in range(50):
            packed.pack(line)
            done += 1
        if done == 2000:
            print('standing %d' % os.getpid(), flush=True)
        time.sleep(0.03)


threading.Thread(target=pack_lines, name='packer', daemon=True).start()
threading.Event().wait()
