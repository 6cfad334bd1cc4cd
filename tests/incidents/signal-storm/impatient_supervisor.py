"""A supervisor that stops its helpers by SIGTERM, again and again until they are gone.

The helpers note the signal and mean to end after the read that they are in; the read never ends, because it is resumed
after every signal.

    impatient_supervisor.py            events: `up` (supervisor, helpers), then send SIGTERM to the supervisor; `asked` (pid)
"""
import errno
import json
import os
import signal
import subprocess
import sys
import time


def tell(event, **fields):
    fields["event"] = event
    os.write(1, (json.dumps(fields) + "\n").encode("utf-8"))


class Helper(object):
    def __init__(self):
        self.wanted = True
        self.told = False

    def on_term(self, signum, frame):
        self.wanted = False
        if not self.told:
            self.told = True
            tell("asked", pid=os.getpid())

    def read_request(self):
        while True:
            try:
                return os.read(0, 4096)
            except OSError as error:
                if error.errno != errno.EINTR:
                    raise

    def run(self):
        signal.signal(signal.SIGTERM, self.on_term)
        os.write(2, b"ready\n")
        # Asked only after a read, so that a signal that comes before the first one does not end it either.
        while self.read_request():
            if not self.wanted:
                break


class Supervisor(object):
    def __init__(self):
        self.helpers = []
        self.stopping = False

    def start(self, number):
        command = [sys.executable, os.path.abspath(__file__), "helper"]
        for _ in range(number):
            helper = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
            helper.stderr.readline()
            self.helpers.append(helper)

    def request_stop(self, signum, frame):
        self.stopping = True

    def serve(self):
        signal.signal(signal.SIGTERM, self.request_stop)
        tell("up", supervisor=os.getpid(), helpers=[helper.pid for helper in self.helpers])
        while not self.stopping:
            time.sleep(0.05)
        self.stop_helpers()

    def stop_helpers(self):
        running = list(self.helpers)
        while running:
            for helper in running:
                helper.send_signal(signal.SIGTERM)
            time.sleep(0.25)
            running = [helper for helper in running if helper.poll() is None]


if __name__ == "__main__":
    if sys.argv[1:] == ["helper"]:
        Helper().run()
    else:
        supervisor = Supervisor()
        supervisor.start(2)
        supervisor.serve()
