# A service with threads in closures, generators and classes of several kinds, and with every kind of variable.
import collections
import sys
import threading
import time


class Account(object):
    def __init__(self, owner):
        self.owner = owner
        self.balance = 12.5
        self.api_token = 'tok-7f3d9a2b'
        self.history = [1, 2, 3]
        self.partner = self


class Slim(object):
    __slots__ = ('left', 'right')

    def __init__(self):
        self.left = 1
        self.right = 'two'


class Quantity(int):
    pass


class Parcels(list):
    pass


class Labels(dict):
    pass


Place = collections.namedtuple('Place', 'street number')


def process_order(number, customer):
    account = Account(customer)
    slim = Slim()
    ratio, huge, negative, nothing, flag = 0.5, 2 ** 70, -5, None, True
    note = 'caf\xe9\n"quoted" \\ back'
    body = 'x' * 5000
    raw = b'\0abc\xff'
    rows, pair, empty = list(range(20)), (1, 'a', [1, 2]), []
    settings = {'retries': 3, 'password': 'hunter2', 5: [1]}
    ordered = collections.OrderedDict([('first', 1)])
    seen, waiting = set([1, 2]), collections.deque([1])
    failure = ValueError('bad order', number)
    hostile = type(str('Odd\nthread 1 "fake"'), (object,), {})()
    kind = Account
    quantity, parcels, labels, place = Quantity(12), Parcels([1, 2]), Labels(colour='red'), Place('North', 7)
    logins = dict(('login_%d_secret' % at, 'swordfish' * 9) for at in range(8))

    def hand_over():
        label = 'order %d of %s' % (number, account.owner)
        go.wait()
        return label
    return hand_over(), slim, ratio, huge, negative, nothing, flag, note, body, raw, rows, pair, empty, settings, \
        ordered, seen, waiting, failure, hostile, kind, logins, quantity, parcels, labels, place


def spin():
    rounds = 0
    while True:
        rounds += 1


go = threading.Event()
for index, called in enumerate(('desk-a', 'desk-b', 'odd\n"name"')):
    thread = threading.Thread(target=process_order, args=(index, 'bob'), name=called)
    thread.daemon = True
    thread.start()
if 'spin' in sys.argv:
    spinner = threading.Thread(target=spin, name='spinner')
    spinner.daemon = True
    spinner.start()
limit = 40
while len(go._cond._waiters if hasattr(go, '_cond') else go._Event__cond._Condition__waiters) < 3:
    time.sleep(0.01)
print('standing')
sys.stdout.flush()
while True:
    time.sleep(limit)
