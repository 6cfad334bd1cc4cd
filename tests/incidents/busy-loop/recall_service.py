"""A recommendation service. Its picker goes round a pool of hosts of which it may take none, for ever, in the thread that serves."""
from __future__ import print_function

import json
import logging
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing

try:
    from http.server import BaseHTTPRequestHandler, HTTPServer
except ImportError:
    from BaseHTTPServer import BaseHTTPRequestHandler, HTTPServer

log = logging.getLogger('recall')


class NewUserRecall(object):
    def __init__(self, hosts):
        self.hosts = hosts

    def by_game(self, scores, limit):
        total = sum(scores.values()) or 1
        picked = []
        for game in sorted(scores, key=scores.get, reverse=True):
            want = max(1, int(limit * scores[game] / total))
            picked.extend(self.sample_game(game, want))
        return picked[:limit]

    def sample_game(self, game, want):
        pool = [dict(host, used=False) for host in self.hosts if host['game'] == game]
        pool_can_use = len(pool) > 0
        taken = []
        while pool_can_use and len(taken) < want:
            for index, host in enumerate(pool):
                if host['used'] or not host['live']:
                    continue
                host['used'] = True
                taken.append(host['id'])
                if len(taken) >= want:
                    break
            # Left out: pool_can_use is never taken back when a whole round found nobody.
        return taken


class Handler(BaseHTTPRequestHandler):
    recall = None

    def do_GET(self):
        log.info('request %s', self.path)
        body = json.dumps(self.answer()).encode()
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def answer(self):
        if self.path.startswith('/recall'):
            return self.recall.by_game({'chess': 3, 'go': 5}, 20)
        return {'ok': True}

    def log_message(self, *words):
        pass


def main():
    folder = tempfile.mkdtemp(prefix='recall-')
    logging.basicConfig(filename=os.path.join(folder, 'recall.log'), level=logging.INFO)
    hosts = [{'id': n, 'game': 'go' if n % 3 else 'chess', 'live': n % 7 == 0} for n in range(60)]
    Handler.recall = NewUserRecall(hosts)
    server = HTTPServer(('127.0.0.1', 0), Handler)
    standing.when_inside('sample_game')
    print('port %d' % server.server_address[1])
    sys.stdout.flush()
    server.serve_forever()


main()
