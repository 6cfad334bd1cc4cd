"""Four threads that hash big blocks in native code, which lets go of the interpreter lock: they use all processors."""
import hashlib
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


def digest(block):
    for _ in range(10 ** 6):
        hashlib.sha256(block).digest()


for number in range(4):
    threading.Thread(target=digest, args=(bytes([number]) * (8 << 20),), daemon=True).start()
standing.say_standing()
threading.Event().wait()
