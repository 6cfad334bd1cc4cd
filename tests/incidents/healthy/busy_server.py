"""A threaded HTTP server that a client keeps busy with small requests, each with some work in Python."""
import hashlib
import http.client
import http.server
import json
import os
import socketserver
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def do_POST(self):
        body = self.rfile.read(int(self.headers['Content-Length']))
        answer = json.dumps(self.work(json.loads(body))).encode()
        self.send_response(200)
        self.send_header('Content-Length', str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def work(self, rows):
        for row in rows:
            row['sum'] = sum(row['values'])
            row['digest'] = hashlib.sha256(json.dumps(row).encode()).hexdigest()
        return sorted(rows, key=lambda row: row['digest'])

    def log_message(self, *words):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass


def client(port):
    rows = json.dumps([{'id': n, 'values': list(range(n % 50))} for n in range(200)])
    connection = http.client.HTTPConnection('127.0.0.1', port)
    for number in range(10 ** 9):
        connection.request('POST', '/rows', rows)
        connection.getresponse().read()
        if number == 20:
            print('standing %d' % os.getppid(), flush=True)


def main():
    server = Server(('127.0.0.1', 0), Handler)
    if os.fork() == 0:
        port = server.server_address[1]
        server.socket.close()
        try:
            client(port)
        finally:
            os._exit(0)
    server.serve_forever()


main()
