"""Prints what was seen of the threads, in lines that a person can read and py-stacks.ts reads back."""
import re
import signal
import unicodedata

THREADS_IN_FULL = 300
# Distinct stacks of a thread and frames of a stack that are shown: the first that keeps the output in its bounds.
SHOWN = ((40, 400), (20, 200), (10, 100), (5, 60), (2, 40), (1, 30))
OUTPUT_MOST = 1900000  # bytes
tokens = {}  # names that were written before: the same ones come again and again
PLAIN = re.compile(r'^[^\s"\\]+$')


def token(text):
    """A name as one word: as it is when it is plain, else in double quotes with escapes."""
    if text not in tokens:
        plain = PLAIN.match(text) and all(printable(character) for character in text)
        tokens[text] = text if plain else quoted(text)
    return tokens[text]


def quoted(text):
    r"""A name in double quotes: \" \\ \n \t \r, \xHH, \uHHHH and \UHHHHHHHH for what cannot be printed."""
    return '"%s"' % ''.join(escaped(character) for character in text)


def escaped(character):
    """One character of a quoted name."""
    if character in '"\\':
        return '\\' + character
    if printable(character):
        return character
    number = ord(character)
    for escape, plain in (('\\n', '\n'), ('\\t', '\t'), ('\\r', '\r')):
        if character == plain:
            return escape
    if number < 0x100:
        return '\\x%02x' % number
    return '\\u%04x' % number if number < 0x10000 else '\\U%08x' % number


def printable(character):
    """Whether it shows as itself on a line: no control or format character, no lone surrogate, no odd space."""
    if ' ' <= character <= '~':
        return True
    return unicodedata.category(character)[0] not in 'CZ'


def signal_name(number):
    """SIGTERM for 15; SIG33 for one without a name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return 'SIG%d' % number


def report_lines(watch, seconds, shown):
    """The lines of the report, without newlines. `shown`: how many stacks of a thread and frames of a stack."""
    yield 'python %s samples %d seconds %.2f interpreters-not-read %d' % (
        watch.runtime.version, watch.samples, seconds, watch.list.interpreters_not_read)
    notes = list(watch.notes)
    if watch.lost:
        notes.append('%d more samples could not be read: the list of threads changed all the time.' % watch.lost)
    threads = watch.seen_threads()
    if len(threads) > THREADS_IN_FULL:
        notes.append('Of the %d threads, those after the first %d show only the stack most often seen.'
                     % (len(threads), THREADS_IN_FULL))
    for note in notes:
        yield 'note ' + quoted(note)
    for index, thread in enumerate(threads):
        for line in thread_lines(thread, shown[0] if index < THREADS_IN_FULL else 1, shown[1]):
            yield line
        for line in watch.motion.thread_lines(thread.state.key) if watch.motion else ():
            yield line
    for line in watch.turns.report_lines(shown[1]) if watch.turns else ():
        yield line
    for line in watch.motion.source_lines() if watch.motion else ():
        yield line


def thread_lines(thread, most, frames):
    """The lines of one thread, with at most so many stacks and frames a stack."""
    stacks = sorted((stack for stack in thread.stacks.values() if stack.count), key=lambda stack: -stack.count)
    other = thread.other + sum(stack.count for stack in stacks[most:])
    tid = '?' if thread.tid is None else thread.tid
    yield 'thread %s %s samples %d gil %d unread %d other-stacks %d' % (
        tid, quoted(thread.name), thread.samples, thread.gil, thread.unread, other)
    if thread.waits:
        kind, address, owner = thread.waits
        yield '  waits for %s at %#x owner %s' % (token(kind), address, 'unknown' if owner is None else owner)
    for stack in stacks[:most]:
        yield '  stack %d of %d' % (stack.count, thread.samples)
        for line in stack_lines(stack, frames):
            yield line
        if stack.cut:
            yield '    ... outer frames left out'


def stack_lines(stack, most):
    """The lines of one stack. Of more than `most` frames those in the middle are left out, except marked ones."""
    left_out = 0
    for index, (function, name, line, first) in enumerate(stack.lines):
        number = stack.signals.get(index)
        holds = stack.holds.get(index, ())
        if most * 3 // 4 <= index < len(stack.lines) - most // 4 and number is None and not holds:
            left_out += 1
            continue
        if left_out:
            yield '    ... %d frames left out' % left_out
            left_out = 0
        mark = '' if number is None else '  [signal handler %d %s]' % (number, signal_name(number))
        yield '    %s  %s:%d  (def at %d)%s' % (token(function), token(name), line, first, mark)
        for kind, address in holds:
            yield '      inside with %s at %#x' % (token(kind), address)


def printed(watch, seconds):
    """The report as bytes, at most OUTPUT_MOST of them, with `end` or `cut` as its last line."""
    for shown in SHOWN:
        lines, size = [], 0
        for line in report_lines(watch, seconds, shown):
            data = line.encode('utf-8', 'backslashreplace') + b'\n'
            size += len(data)
            if size > OUTPUT_MOST:
                break
            lines.append(data)
        else:
            return b''.join(lines) + b'end\n'
    return b''.join(lines) + b'cut\n'
