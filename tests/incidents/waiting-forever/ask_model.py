"""Asks a child over a pipe and waits for its answer; the child has crashed, and its end of the pipe is still open here."""
import multiprocessing
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
import standing


def answer(conn):
    question = conn.recv()
    os._exit(3)


def ask(conn, question):
    conn.send(question)
    return conn.recv()


def main():
    multiprocessing.set_start_method('fork')
    ours, theirs = multiprocessing.Pipe()
    child = multiprocessing.Process(target=answer, args=(theirs,))
    child.start()
    standing.when_inside('ask', for_seconds=0.5)
    ask(ours, 'what is the weather')


main()
