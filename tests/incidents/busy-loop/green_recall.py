"""An eventlet service of recommendations. Its picker goes round a pool of which it may take nobody: a `while` around `enumerate`."""
import json
import os
import sys

import eventlet
from eventlet import wsgi

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


class NewUserRecall(object):
    def __init__(self, anchors):
        self.anchors = anchors

    def get_predict_anchor(self, scores, limit):
        picked = []
        for kind in sorted(scores, key=scores.get, reverse=True):
            picked.extend(self.get_anchor_by_sn(kind, scores[kind], limit))
        return picked[:limit]

    def get_anchor_by_sn(self, kind, score, limit):
        gt_pool = [anchor for anchor in self.anchors if anchor['kind'] == kind]
        sample_cnt = max(1, int(score * limit))
        curr_sample_cnt = 0
        pool_can_use = len(gt_pool) > 0
        picked = []
        while pool_can_use and curr_sample_cnt < sample_cnt:
            for idx, ent in enumerate(gt_pool):
                if ent['taken'] or ent['offline']:
                    continue
                ent['taken'] = True
                picked.append(ent['uid'])
                curr_sample_cnt += 1
                if curr_sample_cnt >= sample_cnt:
                    break
        return picked


recall = NewUserRecall(
    [{'uid': uid, 'kind': 'chess' if uid % 3 else 'go', 'taken': False, 'offline': uid % 4 > 0} for uid in range(40)]
)


def application(environ, start_response):
    if environ['PATH_INFO'] == '/recall':
        standing.say_standing()
    body = json.dumps(recall.get_predict_anchor({'chess': 0.9, 'go': 0.1}, 20)).encode()
    start_response('200 OK', [('Content-Type', 'application/json')])
    return [body]


def ask(port):
    client = eventlet.connect(('127.0.0.1', port))
    client.sendall(b'GET /recall HTTP/1.0\r\n\r\n')
    client.recv(4096)


listener = eventlet.listen(('127.0.0.1', 0))
eventlet.spawn_after(0.3, ask, listener.getsockname()[1])
with open(os.devnull, 'w') as log:
    wsgi.server(listener, application, log=log)
