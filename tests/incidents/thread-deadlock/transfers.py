"""A bank that moves money between accounts, each with its own lock, in the order in which the caller names them.

Two clerks move between the same two accounts in opposite directions; others queue up behind them.

    transfers.py      events: `stuck` (pid)
"""
import json
import os
import threading
import time


def tell(event, **fields):
    fields["event"] = event
    os.write(1, (json.dumps(fields) + "\n").encode("utf-8"))


class Account(object):
    def __init__(self, balance):
        self.balance = balance
        self.lock = threading.Lock()


class Bank(object):
    def __init__(self):
        self.accounts = dict((name, Account(100)) for name in ("rent", "food", "fun"))
        self.inside = 0
        self.moves = 0

    def transfer(self, source, target, amount):
        with self.accounts[source].lock:
            self.inside += 1
            self._check(source, amount)
            with self.accounts[target].lock:
                self.accounts[source].balance -= amount
                self.accounts[target].balance += amount
                self.moves += 1
            self.inside -= 1

    def _check(self, source, amount):
        time.sleep(0.05)
        return self.accounts[source].balance >= amount

    def balance(self, name):
        with self.accounts[name].lock:
            return self.accounts[name].balance


def clerk(bank, source, target):
    while True:
        bank.transfer(source, target, 1)
        time.sleep(0.001)


def teller(bank):
    while True:
        bank.balance("rent")
        time.sleep(0.2)


def main():
    bank = Bank()
    work = [(clerk, "rent", "food"), (clerk, "food", "rent"), (teller,), (teller,)]
    for number, job in enumerate(work):
        name = "%s-%d" % (job[0].__name__, number)
        thread = threading.Thread(target=job[0], args=(bank,) + job[1:], name=name)
        thread.daemon = True
        thread.start()
    moves, since = -1, time.time()
    told = False
    while True:
        time.sleep(0.1)
        if bank.moves != moves:
            moves, since = bank.moves, time.time()
        elif bank.inside == 2 and time.time() - since > 1 and not told:
            told = True
            tell("stuck", pid=os.getpid())


if __name__ == "__main__":
    main()
