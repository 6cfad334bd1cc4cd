"""A small WSGI application: it prices a basket, logs a line and answers."""
import hashlib
import json
import logging
import sys

logging.basicConfig(stream=sys.stderr, level=logging.INFO)
log = logging.getLogger('shop')


def price(basket):
    digest = hashlib.sha256(json.dumps(basket).encode())
    for _ in range(200):
        digest.update(digest.digest())
    return {'total': sum(row['price'] * row['count'] for row in basket), 'key': digest.hexdigest()}


def application(environ, start_response):
    basket = [{'price': number * 3, 'count': number} for number in range(40)]
    body = json.dumps(price(basket)).encode()
    log.debug('priced %d rows for %s', len(basket), environ.get('PATH_INFO'))
    start_response('200 OK', [('Content-Type', 'application/json'), ('Content-Length', str(len(body)))])
    return [body]
