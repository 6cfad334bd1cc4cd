"""A healthy little web server, with a client that asks it something now and then."""
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello\n")

    def log_message(self, *_):
        pass


def visitor(port, stopped):
    while not stopped.wait(0.3):
        with urllib.request.urlopen("http://127.0.0.1:%d/" % port, timeout=5) as answer:
            answer.read()


def main():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=visitor, args=(server.server_port, threading.Event()), daemon=True).start()
    print("symptom stands", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    sys.exit(main())
