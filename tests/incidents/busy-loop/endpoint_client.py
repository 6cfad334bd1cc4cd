"""Connects to a service whose address is not known yet: tries again at once, for ever, and logs each failure."""
import logging
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing

logging.basicConfig(filename='client.log', level=logging.INFO, format='%(asctime)s %(levelname)s %(message)s')
log = logging.getLogger('client')


class Client:
    def __init__(self, directory):
        self.directory = directory

    def connect(self):
        if 'ledger' not in self.directory:
            raise RuntimeError('ledger is not registered')
        return self.directory['ledger']

    def run(self):
        while True:
            try:
                address = self.connect()
                break
            except RuntimeError as error:
                log.warning('cannot connect: %s', error)
        return address


standing.say_standing()
Client({'mail': ('127.0.0.1', 25)}).run()
