"""A threaded HTTP server that nobody asks anything; one client keeps an idle connection open."""
import http.server
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def do_GET(self):
        self.send_response(200)
        self.send_header('Content-Length', '3')
        self.end_headers()
        self.wfile.write(b'ok\n')

    def log_message(self, *words):
        pass


def keep_alive_client(address):
    sock = socket.create_connection(address)
    sock.sendall(b'GET / HTTP/1.1\r\nHost: here\r\n\r\n')
    sock.recv(4096)
    sock.recv(1)


def main():
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    if os.fork() == 0:
        address = server.server_address
        server.socket.close()
        keep_alive_client(address)
        os._exit(0)
    standing.when_inside('serve_forever')
    server.serve_forever()


main()
