"""Sends what is in a list, and puts what failed at its end: the list grows as fast as it is gone over, and all of it fails."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


class Sender:
    def __init__(self, closed):
        self.closed = closed
        self.sent = 0

    def send(self, parcel):
        return parcel['to'] not in self.closed

    def run(self, parcels):
        for number, parcel in enumerate(parcels):
            if self.send(parcel):
                self.sent += 1
            else:
                parcel['tries'] += 1
                parcels.append(parcel)


standing.when_inside('run')
Sender({'north', 'south', 'east'}).run([{'to': to, 'tries': 0} for to in ('north', 'south', 'east')])
