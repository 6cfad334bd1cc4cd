"""Sends webhooks with a new requests session each and never closes the streamed answers; then there is nothing to send.

    webhook_sender.py COUNT      says `standing PID` when so many are left
"""
import http.server
import os
import queue
import sys
import threading
import time

import requests


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "400")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"k" * 400)

    def log_message(self, *_):
        pass


outbox = queue.Queue()
receipts = []


def deliver(url):
    session = requests.Session()
    receipts.append(session.post(url, data=b"event", stream=True, timeout=10))


def main():
    count = int(sys.argv[1])
    server = http.server.HTTPServer(("127.0.0.1", 0), Receiver)
    if os.fork() == 0:
        server.serve_forever()
    url = "http://127.0.0.1:%d/hook" % server.server_address[1]
    server.socket.close()

    def sender():
        while True:
            deliver(outbox.get())
            if len(receipts) == count:
                # Only what was closed a while ago was left behind.
                time.sleep(1.5)
                print("standing %d" % os.getpid(), flush=True)

    threading.Thread(target=sender, name="sender", daemon=True).start()
    for _ in range(count):
        outbox.put(url)
    while True:
        time.sleep(1)


if __name__ == "__main__":
    main()
