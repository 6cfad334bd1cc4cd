"""A build driver that stops a tool and all its helpers with `killpg`, every half second, while the tool ignores SIGHUP
and SIGTERM because it was started by something like nohup.

    group_stop.py      events: `stopping` (driver, group)
"""
import json
import os
import signal
import sys
import time


def tell(event, **fields):
    fields["event"] = event
    os.write(1, (json.dumps(fields) + "\n").encode("utf-8"))


def start_tool():
    ready, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.write(told, b"x")
        while True:
            time.sleep(0.7)
    os.read(ready, 1)
    return pid


class Driver(object):
    def __init__(self):
        self.tool = start_tool()

    def finished(self):
        return os.waitpid(self.tool, os.WNOHANG)[0] != 0

    def stop(self):
        tell("stopping", driver=os.getpid(), group=self.tool)
        while not self.finished():
            os.killpg(self.tool, signal.SIGTERM)
            time.sleep(0.5)


if __name__ == "__main__":
    Driver().stop()
    sys.exit(0)
