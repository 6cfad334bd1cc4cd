"""An archive that files reports into a folder, one whenever a line comes in.

    archive.py FOLDER     says `standing PID` when it is ready; each line on standard input makes it write one report
"""
import os
import sys


class Archive:
    def __init__(self, folder):
        self.folder = folder
        self.number = 0

    def store(self, text):
        self.number += 1
        name = os.path.join(self.folder, "report-%04d.txt" % self.number)
        with open(name, "w") as report:
            report.write(text)


def main():
    archive = Archive(sys.argv[1])
    print("standing %d" % os.getpid(), flush=True)
    for line in sys.stdin:
        archive.store(line)


if __name__ == "__main__":
    main()
