"""Resolves one name after the other without a pause: it lives in the resolver, and each answer comes soon."""
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import name_server
import standing

name_server.isolate()
name_server.start(0.004)
standing.say_standing()
number = 0
while True:
    number += 1
    socket.getaddrinfo('host%d.example.com' % number, 80)
