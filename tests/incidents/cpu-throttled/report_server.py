"""A web server whose worker process answers a client that asks without a pause. The worker's pid is the one that is said."""
import http.server
import json
import os
import socketserver
import sys
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        rows = [{'day': day, 'sum': sum(range(day * 50))} for day in range(200)]
        body = json.dumps(sorted(rows, key=lambda row: -row['sum'])).encode()
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


server = Server(('127.0.0.1', 0), Handler)
if os.fork() == 0:
    standing.say_standing()
    server.serve_forever()
while True:
    with urllib.request.urlopen('http://127.0.0.1:%d/' % server.server_address[1], timeout=60) as answer:
        answer.read()
