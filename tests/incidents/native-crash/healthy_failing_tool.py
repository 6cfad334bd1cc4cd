"""A service that runs a command-line tool, which often fails with exit status 1, and logs that."""
import logging
import os
import subprocess
import sys
import time


def main():
    logging.basicConfig(filename=sys.argv[1], level=logging.INFO, format='%(asctime)s %(levelname)s %(message)s')
    runs = 0
    while True:
        done = subprocess.run(['sh', '-c', 'exit 1'], check=False)
        logging.warning('child process exited with status %d', done.returncode)
        runs += 1
        if runs == 3:
            print('standing', os.getpid(), flush=True)
        time.sleep(0.2)


main()
