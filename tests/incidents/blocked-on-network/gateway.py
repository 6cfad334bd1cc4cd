"""A threaded HTTP gateway. Its handlers call an upstream service without a timeout; upstream hangs, and so do they."""
import http.client
import http.server
import os
import socketserver
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import silent_peer
import standing


class Handler(http.server.BaseHTTPRequestHandler):
    upstream = None

    def do_GET(self):
        body = self.load_profile(self.path.rsplit('/', 1)[-1])
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def load_profile(self, name):
        connection = http.client.HTTPConnection(*self.upstream)
        connection.request('GET', '/profiles/%s' % name)
        return connection.getresponse().read()

    def log_message(self, *words):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


def clients(address, count):
    def ask(number):
        connection = http.client.HTTPConnection(*address)
        connection.request('GET', '/users/u%d' % number)
        connection.getresponse()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def say_when_all_hang(count):
    while True:
        hanging = [ident for ident in sys._current_frames() if standing.inside(ident, 'load_profile')]
        if len(hanging) == count:
            break
        time.sleep(0.02)
    standing.say_standing()


def main():
    Handler.upstream = silent_peer.start()
    server = Server(('127.0.0.1', 0), Handler)
    if os.fork() == 0:
        address = server.server_address
        server.socket.close()
        clients(address, 4)
        os._exit(0)
    threading.Thread(target=say_when_all_hang, args=(4,), daemon=True).start()
    server.serve_forever()


main()
