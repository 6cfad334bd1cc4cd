"""A handler takes the lock between processes that the code under it has taken by acquire()."""
import multiprocessing
import os
import signal


def sell(book):
    book.acquire()
    os.kill(os.getpid(), signal.SIGHUP)
    book.release()


def main():
    book = multiprocessing.Lock()

    def reload(number, frame):
        with book:
            pass

    signal.signal(signal.SIGHUP, reload)
    print('standing %d' % os.getpid(), flush=True)
    sell(book)


main()
