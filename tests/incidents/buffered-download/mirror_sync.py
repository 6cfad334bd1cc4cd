"""A mirror that takes over files of another one, some of them at the same time in threads of a pool; each is read whole."""
import concurrent.futures
import os
import sys
import tempfile
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import file_server
import standing


def take_over(address, folder):
    with urllib.request.urlopen(address, timeout=30) as answer:
        body = answer.read()
    with open(os.path.join(folder, 'copy'), 'wb') as copy:
        copy.write(body)


def main():
    base = 'http://127.0.0.1:%d' % file_server.start()
    folder = tempfile.mkdtemp()
    standing.when_grown(30000)
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        list(pool.map(take_over, [base + '/2000', base + '/4000000000', base + '/1000'], [folder] * 3))


main()
