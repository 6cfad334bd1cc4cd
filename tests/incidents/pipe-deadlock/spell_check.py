"""Feeds all words to a checker before it reads the first answer; the checker answers line by line."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import relatives

CHECKER = "import sys\nfor line in sys.stdin: sys.stdout.write('%s: unknown word, did you mean %s\\n' % (line.strip(), line.strip()[::-1]))"


def check(words):
    checker = subprocess.Popen([sys.executable, '-c', CHECKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    for word in words:
        checker.stdin.write(word.encode('utf-8') + b'\n')
    checker.stdin.close()
    return checker.stdout.read().splitlines()


relatives.when_descendant_waits('pipe_w', 0.5)
check('word%06d' % number for number in range(100000))
