"""A batch job that hashes files of a folder, round after round, and logs each round."""
import hashlib
import logging
import os
import random
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


def hash_file(path):
    digest = hashlib.md5()
    with open(path, 'rb') as file:
        for piece in iter(lambda: file.read(65536), b''):
            digest.update(piece)
    return digest.hexdigest()


def hash_folder(folder):
    return {name: hash_file(os.path.join(folder, name)) for name in sorted(os.listdir(folder))}


def main():
    with tempfile.TemporaryDirectory(prefix='hash-') as folder:
        logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
        for number in range(30):
            with open(os.path.join(folder, 'f%02d' % number), 'wb') as file:
                file.write(random.randbytes(200000) if hasattr(random, 'randbytes') else os.urandom(200000))
        standing.when_inside('hash_folder')
        for turn in range(10 ** 9):
            hash_folder(folder)
            logging.info('round %d', turn)


main()
