"""A service that asks for a chart again and again, each of which it keeps for a while: many answers, none of them large."""
import collections
import http.client
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import file_server
import standing


def refresh(connection, kept):
    connection.request('GET', '/400000')
    kept.append(connection.getresponse().read())


def main():
    connection = http.client.HTTPConnection('127.0.0.1', file_server.start(200e6))
    kept = collections.deque(maxlen=40)
    while len(kept) < 40:
        refresh(connection, kept)
    standing.say_standing()
    while True:
        refresh(connection, kept)
        time.sleep(0.01)


main()
