"""A nightly job that fetches prices over HTTP without a timeout. The price service takes the request and never answers."""
import json
import logging
import os
import sys
import tempfile
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import silent_peer
import standing

log = logging.getLogger('prices')


class PriceSource:
    def __init__(self, base):
        self.base = base

    def price_of(self, article):
        with urllib.request.urlopen('%s/price/%s' % (self.base, article)) as answer:
            return json.load(answer)['cents']


def refresh(source, articles):
    prices = {}
    for article in articles:
        log.info('fetching %s', article)
        prices[article] = source.price_of(article)
    return prices


def main():
    folder = tempfile.mkdtemp(prefix='prices-')
    logging.basicConfig(filename=os.path.join(folder, 'prices.log'), level=logging.INFO)
    host, port = silent_peer.start()
    standing.when_inside('_read_status')
    refresh(PriceSource('http://%s:%d' % (host, port)), ['tea', 'rice', 'salt'])


main()
