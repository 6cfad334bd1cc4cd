"""Asks an exchange for rates over and over; keeps each answer half read and closes none. The exchange ends every connection.

    rate_client.py COUNT      says `standing PID` when so many answers are left, and goes on slowly
"""
import http.client
import http.server
import os
import sys
import time


class Exchange(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2000")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"r" * 2000)

    def log_message(self, *_):
        pass


class Rates:
    def __init__(self, port):
        self.port = port
        self.answers = []

    def fetch(self, currency):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", "/rates/" + currency)
        answer = connection.getresponse()
        self.answers.append(answer)
        return answer.read(16)


def main():
    server = http.server.HTTPServer(("127.0.0.1", 0), Exchange)
    if os.fork() == 0:
        server.serve_forever()
    rates = Rates(server.server_address[1])
    server.socket.close()
    for number in range(int(sys.argv[1])):
        rates.fetch("c%d" % number)
        time.sleep(0.03)
    # Only what was closed a while ago was left behind.
    time.sleep(1.5)
    print("standing %d" % os.getpid(), flush=True)
    while True:
        time.sleep(0.25)
        rates.fetch("next")


if __name__ == "__main__":
    main()
