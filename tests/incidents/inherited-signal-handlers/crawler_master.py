"""Workers by multiprocessing under a master whose SIGINT and SIGTERM handler ends the whole group, again and again."""
import multiprocessing
import os
import signal
import time


class Master:
    def __init__(self):
        self.pids = []

    def shutdown(self, signum, frame):
        os.write(1, b'standing %d\n' % os.getpid())
        while True:
            for pid in self.pids:
                try:
                    os.kill(pid, signal.SIGTERM)
                except OSError:
                    pass
            time.sleep(0.3)

    def crawl(self, number):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        if number == 2:
            time.sleep(0.6)
            os.kill(os.getpid(), signal.SIGTERM)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        time.sleep(1000)

    def run(self):
        signal.signal(signal.SIGTERM, self.shutdown)
        signal.signal(signal.SIGUSR1, self.shutdown)
        for number in range(3):
            worker = multiprocessing.Process(target=self.crawl, args=(number,))
            worker.start()
            self.pids.append(worker.pid)
        while True:
            time.sleep(1)


if __name__ == '__main__':
    multiprocessing.set_start_method('fork')
    Master().run()
