"""A supervisor that starts a report again when it died. The first run builds a table in memory until it is killed; the next
one starts small."""
import subprocess
import sys
import time

TABLE = '''
import sys, time
rows = []
if sys.argv[1] == '0':
    while True:
        rows.append('x' * 500000)
print('small', flush=True)
time.sleep(600)
'''


def run_report(attempt):
    return subprocess.Popen([sys.executable, '-c', TABLE, str(attempt)])


def main():
    sys.stdin.readline()
    attempt = 0
    while True:
        report = run_report(attempt)
        if attempt > 0:
            print('running %d' % report.pid, flush=True)
        report.wait()
        attempt += 1
        time.sleep(0.2)


main()
