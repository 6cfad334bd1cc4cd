"""Builds a report of many pages in one thread: each page is large while it is laid out, and leaves a small line in the
table of contents, in between the others. Then it serves the table.
"""
import os
import socket

CONTENTS = []


def lay_out(number):
    text = ('page %d ' % number).encode() * 4000
    CONTENTS.append(bytearray(text[:600]))
    return bytearray(text)


def main():
    pages = [lay_out(number) for number in range(5000)]
    total = sum(len(page) for page in pages)
    del pages
    server = socket.create_server(('127.0.0.1', 0))
    print('standing %d' % os.getpid(), flush=True)
    while True:
        client, _ = server.accept()
        client.sendall(b'%d bytes, %d lines\n' % (total, len(CONTENTS)))
        client.close()


main()
