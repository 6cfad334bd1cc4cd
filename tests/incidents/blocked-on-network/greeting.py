"""Sends a mail through a server that takes the connection and never says its greeting."""
import os
import smtplib
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import silent_peer
import standing


class Mailer:
    def __init__(self, address):
        self.address = address

    def send(self, text):
        with smtplib.SMTP(*self.address) as server:
            server.sendmail('a@example.org', ['b@example.org'], text)


def main():
    standing.when_inside('getreply')
    Mailer(silent_peer.start()).send('hello')


main()
