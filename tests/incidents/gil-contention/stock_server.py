"""A threaded HTTP server under load: every request computes in Python, and many are in work at once."""
import http.server
import json
import os
import socketserver
import sys
import threading
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps(self.forecast(int(self.path.rsplit('/', 1)[1]))).encode()
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def forecast(self, article):
        curve = []
        for day in range(60):
            level = article
            for step in range(20000):
                level = (level * 31 + step) % 1009
            curve.append(level)
        return curve

    def log_message(self, *words):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 50


def ask(port, article):
    while True:
        with urllib.request.urlopen('http://127.0.0.1:%d/stock/%d' % (port, article), timeout=300) as answer:
            answer.read()


server = Server(('127.0.0.1', 0), Handler)
if os.fork() == 0:
    for article in range(8):
        threading.Thread(target=ask, args=(server.server_address[1], article)).start()
else:
    timer = threading.Timer(1.5, standing.say_standing)
    timer.daemon = True
    timer.start()
    server.serve_forever()
