"""Where CPython and asyncio keep what py_read_turns.py reads: tasks, coroutines, greenlets and sockets; by version.

Offsets in bytes, 64-bit builds, printed by gdb from the debug information of the same interpreters as those of
py_read_offsets.py and of their modules _asyncio and _socket; those of 3.14 from Debian's 3.14.10.
"""

EVERY = '''
    PyTypeObject tp_base=256 tp_subclasses=360
    PyListObject ob_item=24
    PyFloatObject ob_fval=16
    PySetObject mask=32 table=40
    PyWeakReference wr_object=16
    PySocketSockObject sock_fd=16
'''
TO_3_9 = EVERY + '''
    PyFrameObject f_stacktop=72
'''
FROM_3_11 = EVERY + '''
    TaskObj task_state=88 task_fut_waiter=128 task_coro=136 task_name=144
    _PyInterpreterFrame stacktop=64
    PyGenObject gi_frame_state=67
'''

TURNS = {
    (2, 7): TO_3_9,
    (3, 6): TO_3_9,
    (3, 7): TO_3_9 + 'TaskObj task_state=72 task_fut_waiter=104 task_coro=112',
    (3, 8): TO_3_9 + 'TaskObj task_state=72 task_fut_waiter=104 task_coro=112 task_name=120',
    (3, 9): TO_3_9 + 'TaskObj task_state=80 task_fut_waiter=144 task_coro=152 task_name=160',
    (3, 10): EVERY + '''
    PyFrameObject f_stackdepth=80 f_state=108
    TaskObj task_state=88 task_fut_waiter=152 task_coro=160 task_name=168
    ''',
    (3, 11): FROM_3_11 + 'PyGenObject gi_frame_state=75',
    (3, 12): FROM_3_11,
    (3, 13): FROM_3_11 + 'TaskObj task_state=96 task_fut_waiter=112 task_coro=120 task_name=128',
    # _asyncio publishes the offsets of TaskObj itself.
    (3, 14): EVERY + '''
    _PyInterpreterFrame stackpointer=64
    PyGenObject gi_frame_state=67
    ''',
}
