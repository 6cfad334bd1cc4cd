"""Compresses a large text again and again into a file: long calls into zlib from one line."""
import gzip
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


def compress(text, path):
    with gzip.open(path, 'wb', compresslevel=9) as file:
        for start in range(0, len(text), 1 << 20):
            file.write(text[start:start + (1 << 20)])


def main():
    text = b''.join(b'%d %x some words of a log line %d\n' % (n, n * 7919, n % 77) for n in range(400000))
    with tempfile.TemporaryDirectory(prefix='gzip-') as folder:
        standing.when_inside('compress')
        for turn in range(10 ** 6):
            compress(text, os.path.join(folder, 'log.gz'))


main()
