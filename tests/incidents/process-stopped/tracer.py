"""A debugger that was left attached: stops the process named on the command line with ptrace and waits."""
import ctypes
import os
import sys

PTRACE_ATTACH = 16


def main():
    pid = int(sys.argv[1])
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long] * 2 + [ctypes.c_void_p] * 2
    if libc.ptrace(PTRACE_ATTACH, pid, None, None) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    os.waitpid(pid, 0)
    print('attached', flush=True)
    sys.stdin.read()


main()
