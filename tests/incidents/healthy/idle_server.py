"""A threaded HTTP server that nobody asks anything; one client keeps an idle connection open."""
import http.client
import http.server
import os
import socketserver
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


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass


def keep_alive_client(address):
    connection = http.client.HTTPConnection(*address)
    connection.request('GET', '/')
    connection.getresponse().read()
    connection.sock.recv(1)


def main():
    server = Server(('127.0.0.1', 0), Handler)
    if os.fork() == 0:
        address = server.server_address
        server.socket.close()
        keep_alive_client(address)
        os._exit(0)
    standing.when_inside('serve_forever')
    server.serve_forever()


main()
