"""Exports a table with a tool and waits for it, without reading what the tool says.

    nightly_export.py [shell|poll|timeout]     shell: through /bin/sh; poll: asks again and again; timeout: wait(3600)
"""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import relatives
import time

ROWS = "import sys\nfor row in range(40000): sys.stdout.write('%d,item-%d,4.50\\n' % (row, row))"


class Export:
    def __init__(self, how):
        self.how = how

    def start(self):
        if self.how == 'shell':
            return subprocess.Popen('seq 1 200000; echo exported', shell=True, stdout=subprocess.PIPE)
        return subprocess.Popen([sys.executable, '-c', ROWS], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def finish(self, tool):
        if self.how == 'poll':
            while tool.poll() is None:
                time.sleep(0.2)
            return tool.returncode
        if self.how == 'timeout':
            return tool.wait(timeout=3600)
        return tool.wait()


def main():
    relatives.when_descendant_waits('pipe_w')
    export = Export(sys.argv[1] if len(sys.argv) > 1 else '')
    tool = export.start()
    code = export.finish(tool)
    print('exported', code, len(tool.stdout.read()))


main()
