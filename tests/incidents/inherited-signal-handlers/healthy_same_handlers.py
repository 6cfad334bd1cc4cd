"""Master and workers share one handler that sets a flag: equal masks, and nothing wrong. `standing PID`: a worker."""
import os
import signal
import time

stopping = []
signal.signal(signal.SIGTERM, lambda signum, frame: stopping.append(signum))
signal.signal(signal.SIGHUP, lambda signum, frame: None)


def serve():
    os.write(1, b'standing %d\n' % os.getpid())
    while not stopping:
        time.sleep(0.2)


for _ in range(2):
    if os.fork() == 0:
        serve()
        os._exit(0)
while not stopping:
    time.sleep(0.2)
