"""A settlement worker: one thread settles batches while the main thread waits for it. An order whose peer was cancelled
never leaves the list of pending ones, so the thread goes round it for ever. There is no socket and no log line."""
import os
import queue
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


class Order:
    def __init__(self, number, after):
        self.number = number
        self.after = after
        self.settled = False


class Settlement:
    def __init__(self):
        self.rounds = 0
        self.batches = queue.Queue()

    def settle_batch(self, orders):
        pending = {order.number: order for order in orders}
        while pending:
            self.rounds += 1
            for number in sorted(pending):
                order = pending[number]
                if self.is_ready(order, pending):
                    order.settled = True
                    del pending[number]
        return len(orders)

    def is_ready(self, order, pending):
        return all(other not in pending for other in order.after)

    def work(self):
        standing.when_inside('settle_batch')
        while True:
            batch = self.batches.get()
            self.settle_batch(batch)
            self.batches.task_done()


def main():
    settlement = Settlement()
    threading.Thread(target=settlement.work, name='settle', daemon=True).start()
    orders = [Order(n, [n - 1] if n else []) for n in range(40)]
    orders[17].after.append(18)
    settlement.batches.put(orders)
    settlement.batches.join()


main()
