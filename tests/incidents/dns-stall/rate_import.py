"""A job that fetches exchange rates. Its name server has gone: each lookup waits for all attempts before it fails."""
import os
import sys
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import name_server
import standing


class RateImport:
    def __init__(self, base):
        self.base = base

    def fetch(self, currency):
        try:
            with urllib.request.urlopen(self.base + currency, timeout=3) as answer:
                return answer.read(100)
        except OSError as error:
            print('no rate: %s' % error)

    def run(self):
        while True:
            for currency in ('eur', 'chf', 'nok'):
                self.fetch(currency)
            time.sleep(0.1)


name_server.isolate()
name_server.start(None)
standing.when_inside('getaddrinfo')
RateImport('http://rates.example.com/').run()
