"""Prints the local variables of the threads of a running CPython process, with their stacks.

The process is never attached to and never stopped. Runs under Python 3.6 and later, standard library only:

    python3 -I -S -B py-locals.py PID START-TIME SECONDS [THREAD]

START-TIME is field 22 of /proc/PID/stat; SECONDS is how long reading may take. THREAD is the id of a thread or
threading's name for it. The files py_read_*.py lie beside this one. py-locals.ts reads back what is printed:

    python 3.11.2 threads 4
    thread 4242 "MainThread" [holds the interpreter lock] [moving]
      serve  /srv/app.py:31  (def at 12)
        attempts = 3
"""
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

TRIES = 5  # for a stack that stays while its variables are read
LIST_TRIES = 20
THREADS_MOST = 300
INNER_FRAMES, OUTER_FRAMES = 40, 10
OUTPUT_MOST = 900000  # bytes
NAMES_TOLD = 40


def chosen(threads, names, wanted):
    """The threads that are meant by an id or a name, whole or, if none is called just so, in part."""
    if not wanted:
        return threads
    if wanted.isdigit():
        return [each for each in threads if each.tid == int(wanted)]
    low = wanted.lower()
    called = [(each, names.get(each.ident, '').lower()) for each in threads]
    return [each for each, name in called if name == low] or [each for each, name in called if low in name]


class Printer(object):
    """Prints the threads of one process one after the other."""

    def __init__(self, watch, reader, names, deadline):
        from py_read_cells import NoValue
        from py_read_memory import Torn
        self.failures = (NoValue, Torn)
        self.watch = watch
        self.reader = reader
        self.names = names
        self.deadline = deadline
        self.size = 0
        self.out = sys.stdout.buffer

    def line(self, text):
        data = (text + '\n').encode('utf-8', 'backslashreplace')
        self.size += len(data)
        self.out.write(data)

    def thread(self, state, holds):
        """Writes one thread: its frames, innermost first, each with its variables."""
        from py_read_report import quoted
        marks = ' [holds the interpreter lock]' if holds else ''
        head = 'thread %s %s%s' % (state.tid or '?', quoted(self.names.get(state.ident, '')), marks)
        why, frames, stands = 'its stack always was another one', None, False
        for _ in range(TRIES):
            try:
                frames, stands = self._frames(state)
            except self.failures:
                continue
            if stands:
                break
        if frames is None:
            self.line(head)
            self.line('  unread: %s' % why)
            return
        self.line(head + ('' if stands else ' [moving]'))
        for frame in frames:
            for text in frame:
                self.line(text)

    def _frames(self, state):
        """(lines of each frame, whether the stack still was the same afterwards)."""
        from py_read_report import token
        self.reader.fresh()
        plan, _, chain = self.watch.reader.prove(state.address, lambda chain: False)
        shown = self.watch.codes.visible(chain.frames)[::-1]
        lines = []
        for depth, (address, code, offset) in enumerate(shown):
            if INNER_FRAMES <= depth < len(shown) - OUTER_FRAMES:
                if depth == INNER_FRAMES:
                    lines.append(['  ... %d frames left out' % (len(shown) - OUTER_FRAMES - INNER_FRAMES)])
                continue
            lines.append(['  %s  %s:%d  (def at %d)' % (
                token(code.name), token(code.file), code.line_at(offset), code.first_line)])
            try:
                variables, more = self.reader.variables(address, code.address)
            except self.failures:
                lines[-1].append('    (not readable)')
                continue
            lines[-1].extend('    %s = %s' % (token(name), text) for name, text in variables)
            if more:
                lines[-1].append('    ... %d more variables' % more)
        return lines, self.watch.stacks.stands(plan, chain)

    def full(self):
        """Why no more may be printed; None while it may."""
        if time.monotonic() > self.deadline:
            return 'the time for it was over'
        return 'the output is long enough' if self.size > OUTPUT_MOST else None


def listed(watch):
    """The thread states of the process. Raises Torn."""
    from py_read_memory import Torn
    for attempt in range(LIST_TRIES):
        try:
            return watch.list.read()
        except Torn:
            if attempt == LIST_TRIES - 1:
                raise


def show(memory, seconds, wanted):
    from py_read_locals import Locals
    from py_read_memory import Unreadable
    from py_read_names import thread_names
    from py_read_report import quoted
    from py_read_runtime import find_runtime
    from py_read_watch import Watch
    deadline = time.monotonic() + seconds
    watch = Watch(memory, find_runtime(memory))
    runtime = watch.runtime
    if not Locals.knows(runtime.layout.version):
        raise Unreadable('not-applicable', 'Variables of Python %s cannot be read.' % runtime.version)
    states = listed(watch)
    names = thread_names(watch.objects, watch.list.interpreters)
    holders = runtime.gil_holders(watch.list.interpreters, set(state.address for state in states))
    threads = sorted(chosen(states, names, wanted), key=lambda each: (each.tid is None, each.tid or 0))
    printer = Printer(watch, Locals(watch.objects, watch.dicts), names, deadline)
    printer.line('python %s threads %d' % (runtime.version, len(states)))
    if not threads:
        told = ['%s %s' % (each.tid or '?', quoted(names.get(each.ident, ''))) for each in states[:NAMES_TOLD]]
        printer.line('none: %s' % ', '.join(told + ['...'] * (len(states) > NAMES_TOLD)))
    for index, state in enumerate(threads):
        why = printer.full() or ('there are too many' if index >= THREADS_MOST else None)
        if why:
            printer.line('note "%d threads were left out: %s."' % (len(threads) - index, why))
            break
        printer.thread(state, state.address in holders)
    memory.check_alive(runtime.module.start)
    printer.line('end')


def main(arguments):
    from py_read_memory import Memory, Torn, Unreadable
    try:
        try:
            wanted = os.fsencode(arguments[3]).decode('utf-8', 'replace').strip() if len(arguments) > 3 else ''
            show(Memory(int(arguments[0]), arguments[1]), float(arguments[2]), wanted)
        except Torn as torn:
            raise Unreadable('not-parsable', 'The structures of the interpreter make no sense: %s.' % torn)
    except Unreadable as why:
        sys.stdout.buffer.write(('unreadable %s %s\n' % (why.reason, why.sentence)).encode('utf-8', 'backslashreplace'))
        return 1
    sys.stdout.flush()
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
