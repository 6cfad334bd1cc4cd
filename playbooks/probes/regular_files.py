"""Files at paths that a process chose. Runs on the diagnosed host under any Python from 3.6 on; standard library only."""
import os
import stat


def open_regular(path):
    """A descriptor to read the file at a path. Raises OSError, also when there is no regular file.

    A device or a pipe is not even opened: that alone may keep whoever does it waiting, or begin something (a watchdog's
    countdown, watchdog(4)). What O_PATH holds is the file that is opened then, whatever is put at its path meanwhile.
    """
    held = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(held).st_mode):
            raise OSError('no regular file')
        return os.open('/proc/self/fd/%d' % held, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    finally:
        os.close(held)
