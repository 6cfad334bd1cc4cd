"""Names of system calls by their numbers, from sample.syscalls. Python 3.6 or later, standard library only."""
import os


def load_table(path):
    """Number as /proc writes it -> (name, whether its first argument is a descriptor), for this machine."""
    machine = os.uname().machine
    if machine in ('riscv64', 'loongarch64', 'arm64'):
        machine = 'aarch64'
    table = {}
    try:
        lines = open(path, encoding='ascii').read().split('\n')
    except OSError:
        lines = []
    for line in lines:
        words = line.split()
        if len(words) < 3 or words[0] != machine:
            continue
        for offset, name in enumerate(words[2:]):
            table[b'%d' % (int(words[1]) + offset)] = (name.rstrip('@'), name.endswith('@'))
    return table
