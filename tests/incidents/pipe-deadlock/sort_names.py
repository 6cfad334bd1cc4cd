"""Gives names to sort and waits for it to end, with its input still open."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import relatives


def sort_names(names):
    with open(os.devnull, 'wb') as nowhere:
        process = subprocess.Popen(['sort', '-u'], stdin=subprocess.PIPE, stdout=nowhere)
    process.stdin.write('\n'.join(names).encode('utf-8'))
    process.stdin.flush()
    return process.wait()


relatives.when_descendant_waits('pipe_r')
sort_names(['name-%d' % number for number in range(500)])
