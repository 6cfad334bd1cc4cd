"""Keeps an archive file open for each mailbox that it meets, and logs when it can open no more; between runs it rests.

    archive_keeper.py LIMIT [earlier]   lowers its limit; says `standing PID` when a run is over. `earlier`: it closed all after
                                        the complaint, as a person's restart of the job would
"""
import logging
import os
import resource
import sys
import threading

logging.basicConfig(filename='archive.log', level=logging.INFO, format='%(asctime)s %(levelname)s %(message)s')
log = logging.getLogger('archive')


class Archive:
    def __init__(self, folder):
        self.folder = folder
        self.open_files = {}

    def append(self, mailbox, text):
        if mailbox not in self.open_files:
            self.open_files[mailbox] = open(os.path.join(self.folder, '%s.mbox' % mailbox), 'a')
        self.open_files[mailbox].write(text)

    def run(self, mailboxes):
        for mailbox in mailboxes:
            try:
                self.append(mailbox, 'From somebody\n\nHello\n')
            except OSError as error:
                log.error('cannot archive %s: %s', mailbox, error)


def main():
    limit = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    os.mkdir('mail')
    archive = Archive('mail')
    archive.run(['box-%d' % number for number in range(limit + 5)])
    if sys.argv[2:] == ['earlier']:
        for file in archive.open_files.values():
            file.close()
        archive.open_files.clear()
    print('standing %d' % os.getpid(), flush=True)
    threading.Event().wait(3600)


main()
