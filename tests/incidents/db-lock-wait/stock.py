"""Stock of a shop in PostgreSQL: one process begins to change a row and then does something else; others want to change it.

    stock.py DSN plain      the main thread waits
    stock.py DSN pool       one of four worker threads waits, the others serve
    stock.py DSN table      waits for a table that is being altered
    stock.py DSN advisory   waits for an advisory lock
    stock.py DSN slow       nobody holds a lock: the query itself takes long (no fault of this kind)

Says `standing PID HOLDER` when the server says that it waits, or that the slow query runs.
"""
import os
import queue
import sys
import threading
import time

import psycopg2

NAME = {"plain": "row", "pool": "row", "table": "table", "advisory": "advisory"}


def hold(dsn, kind, ready):
    connection = psycopg2.connect(dsn)
    cursor = connection.cursor()
    if kind == "row":
        cursor.execute("update item set left_over = left_over - 1 where id = 1")
    elif kind == "table":
        cursor.execute("alter table item add column note text")
    else:
        cursor.execute("select pg_advisory_xact_lock(42)")
    os.write(ready, b"x")
    while True:
        time.sleep(60)


class Stock:
    def __init__(self, dsn):
        self.dsn = dsn

    def take(self, item):
        connection = psycopg2.connect(self.dsn)
        with connection, connection.cursor() as cursor:
            cursor.execute("update item set left_over = left_over - 1 where id = %s", (item,))

    def count(self):
        connection = psycopg2.connect(self.dsn)
        with connection.cursor() as cursor:
            cursor.execute("select sum(left_over) from item")

    def alone(self):
        connection = psycopg2.connect(self.dsn)
        with connection.cursor() as cursor:
            cursor.execute("select pg_advisory_xact_lock(42)")

    def slow(self):
        connection = psycopg2.connect(self.dsn)
        with connection.cursor() as cursor:
            cursor.execute("select pg_sleep(900)")


def tell_when(dsn, condition, holder):
    connection = psycopg2.connect(dsn)
    connection.autocommit = True
    cursor = connection.cursor()
    while True:
        cursor.execute("select count(*) from pg_stat_activity where " + condition)
        if cursor.fetchone()[0] > 0:
            break
        time.sleep(0.05)
    connection.close()
    print("standing %d %d" % (os.getpid(), holder), flush=True)


def main():
    dsn, kind = sys.argv[1], sys.argv[2]
    connection = psycopg2.connect(dsn)
    with connection, connection.cursor() as cursor:
        cursor.execute("drop table if exists item")
        cursor.execute("create table item (id integer primary key, left_over integer)")
        cursor.execute("insert into item select n, 10 from generate_series(1, 20) n")
    connection.close()
    holder = 0
    if kind != "slow":
        ready, told = os.pipe()
        holder = os.fork()
        if holder == 0:
            hold(dsn, NAME[kind], told)
        os.read(ready, 1)
    condition = "query like '%pg_sleep%' and pid <> pg_backend_pid()" if kind == "slow" else "wait_event_type = 'Lock'"
    threading.Thread(target=tell_when, args=(dsn, condition, holder)).start()
    stock = Stock(dsn)
    if kind == "pool":
        orders = queue.Queue()

        def worker():
            while True:
                stock.take(orders.get())

        for number in range(4):
            threading.Thread(target=worker, name="order-%d" % number, daemon=True).start()
        orders.put(1)
        number = 1
        while True:
            number = number % 19 + 1
            orders.put(number + 1)
            time.sleep(0.05)
    {"plain": lambda: stock.take(1), "table": stock.count, "advisory": stock.alone, "slow": stock.slow}[kind]()


if __name__ == "__main__":
    main()
