"""Takes over a large file as it should be done: in bounded parts, each written before the next one is asked for."""
import os
import sys
import tempfile
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import file_server
import standing


def take_over(address, copy):
    with urllib.request.urlopen(address) as answer:
        while True:
            part = answer.read(1 << 20)
            if not part:
                return
            copy.write(part)
            if copy.tell() > 100 << 20:
                copy.seek(0)
                copy.truncate()


def main():
    base = 'http://127.0.0.1:%d' % file_server.start(8e6)
    with tempfile.TemporaryFile() as copy:
        standing.when_inside('take_over', for_seconds=1)
        take_over(base + '/4000000000', copy)


main()
