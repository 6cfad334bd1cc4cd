"""Starts a converter for each picture, keeps the objects and never looks at them again."""
import subprocess
import time
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import relatives


class Proxy:
    def __init__(self):
        self.converters = []

    def convert(self, picture):
        self.converters.append(subprocess.Popen(['sh', '-c', 'exit 0', picture]))


proxy = Proxy()
pid = os.getpid()
relatives.when(lambda: len(relatives.zombies(pid)) >= 8)
while True:
    proxy.convert('cat.jpg')
    time.sleep(0.2 if len(proxy.converters) < 12 else 1)
