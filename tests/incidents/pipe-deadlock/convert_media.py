"""Reads all errors of a converter first and its output afterwards; the converter writes both."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import relatives

CONVERTER = "import sys\nfor frame in range(3000): sys.stdout.write('frame=%d ' % frame + 'q=28.0 size=1024kB ' * 4 + '\\n'); sys.stdout.flush()\nsys.stderr.write('done\\n')"


def convert(path):
    process = subprocess.Popen([sys.executable, '-c', CONVERTER, path], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    errors = process.stderr.read()
    frames = process.stdout.readlines()
    return process.wait(), errors, frames


relatives.when_descendant_waits('pipe_w')
convert('holiday.mov')
