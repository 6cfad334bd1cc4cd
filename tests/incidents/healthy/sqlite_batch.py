"""Fills a SQLite table in batches and queries it."""
import os
import sqlite3
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


def batch(db, turn):
    with db:
        db.executemany('insert into readings values (?, ?, ?)', ((turn, n, (n * 7919 + turn) % 1000) for n in range(5000)))
    return db.execute('select turn, avg(value) from readings group by turn order by 2 desc limit 5').fetchall()


def main():
    with tempfile.TemporaryDirectory(prefix='sqlite-') as folder:
        db = sqlite3.connect(os.path.join(folder, 'readings.db'))
        db.execute('create table readings (turn integer, n integer, value integer)')
        standing.when_inside('main')
        for turn in range(10 ** 6):
            batch(db, turn)
            if turn % 100 == 99:
                with db:
                    db.execute('delete from readings')


main()
