"""Damages its own interpreter's structures, as the argument says, and then waits in C where nobody looks at them.

`circle`: a waiting thread's innermost frame is its own caller. `wild`: that frame's caller is nowhere. `name`: its code
object's name is no string. `threads`: the list of threads leads nowhere. `none`: there is no interpreter any more.
"""
import ctypes
import os
import sys
import threading
import time

minor = sys.version_info[1]
inside = threading.Event()
frames = {}


def waits():
    frames['waits'] = sys._getframe()
    inside.set()
    time.sleep(1000)


def put(address, value):
    ctypes.c_size_t.from_address(address).value = value


def get(address):
    return ctypes.c_size_t.from_address(address).value


thread = threading.Thread(target=waits, name='damaged')
thread.daemon = True
thread.start()
inside.wait()
other, = [tid for tid in os.listdir('/proc/self/task') if int(tid) != os.getpid()]
while open('/proc/self/task/%s/syscall' % other).read().startswith('running'):
    time.sleep(0.01)
frame = id(frames['waits'])
if minor >= 11:
    frame = get(frame + 24)  # PyFrameObject.f_frame
    previous = frame + (48 if minor == 11 else 8)
else:
    previous = frame + 24  # f_back
how = sys.argv[1]
code = id(waits.__code__)
say = 'standing %d\n' % os.getpid()
sleep = ctypes.PyDLL(None).sleep  # keeps the interpreter lock, so that nothing else runs
if how == 'circle':
    put(previous, frame)
elif how == 'wild':
    put(previous, 0x123456789000)
elif how == 'name':
    offset = 112 if minor in (8, 9, 10) else 120 if minor < 11 else 128
    put(code + (104 if minor < 8 else offset), id(None))
elif how in ('threads', 'none'):
    get_state = ctypes.pythonapi.PyThreadState_Get
    get_state.restype = ctypes.c_size_t
    state = get_state()
    if how == 'threads':
        put(state + 8, 0x123456789000)
    else:
        runtime = ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, '_PyRuntime'))
        put(runtime + {7: 24, 8: 32, 9: 32, 10: 32, 11: 40, 12: 40, 13: 632, 14: 808}[minor], 0)
ctypes.CDLL(None).write(1, say.encode(), len(say))
sleep(1000)
