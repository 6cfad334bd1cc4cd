# Runs inside of the process that is looked at: counts its objects and writes the figures into RESULT, which is there only as
# long as somebody waits for it. Before this text come RESULT (a path) and SECONDS.
#
# CPython 2.7 and later. Nothing is imported but modules that are built into the interpreter. No code of the program's own is called: types are
# asked through `type` itself, sizes only where C code answers. It counts in a thread of its own, so that the
# main thread goes on; where greenlets have taken the place of threads, it is over after a second.


def figures(seconds):
    import gc
    import sys
    import time
    begun = time.time()
    out = open(RESULT, 'r+b')
    lines = []
    asked = dict((name, type.__dict__[name].__get__) for name in ('__name__', '__mro__', '__dict__'))
    in_c = type(object.__dict__['__sizeof__'])
    many, untracked_most = 100000, 300000

    def plain(text):
        if type(text) not in (type(''), type(u'')):
            return '?'
        return ''.join(c if ' ' < c <= '~' else '?' for c in text)[:200] or '?'

    def name(kind):
        own = plain(asked['__name__'](kind))
        module = (asked['__dict__'](kind) or {}).get('__module__')
        module = plain(module) if type(module) in (type(''), type(u'')) else ''
        return own if module in ('', 'builtins', '__builtin__') else module + '.' + own

    def sizer(kind):
        for base in asked['__mro__'](kind) or ():  # None: a type of C code that was never made ready
            known = asked['__dict__'](base) or ()
            if '__sizeof__' in known:
                return sys.getsizeof if type(known['__sizeof__']) is in_c else object.__sizeof__
        return object.__sizeof__

    counts = {}

    def add(thing):
        kind = type(thing)
        row = counts.get(id(kind))
        if row is None:
            row = counts[id(kind)] = [kind, sizer(kind), 0, 0]
        row[2] += 1
        row[3] += row[1](thing)

    collector = (gc.isenabled(), gc.get_threshold(), gc.get_count())
    things = gc.get_objects()
    seen, cut, visited, inside = set(), [], 0, []
    for thing in things:
        add(thing)
        visited += 1
        inside = [thing]
        while inside:
            thing = inside.pop()
            if type(thing) in (list, tuple, dict, set) and len(thing) > many:
                cut.append('items')
                continue
            for other in gc.get_referents(thing):
                if gc.is_tracked(other) or id(other) in seen:
                    continue
                if len(seen) >= untracked_most:
                    cut.append('referents')
                    break
                seen.add(id(other))
                add(other)
                # The collector leaves those alone that hold nothing which it would look after.
                if type(other) in (dict, tuple):
                    inside.append(other)
        if visited % 256 == 0 and time.time() - begun > seconds:
            cut.append('time')
            break
    total = len(things)
    thing = other = None
    del things, seen, inside
    lines.append('python %d.%d.%d' % tuple(sys.version_info[:3]))
    lines.append('objects %d of %d' % (visited, total))
    rows = sorted(counts.values(), key=lambda row: -row[3])
    for kind, _, number, size in rows[:200]:
        lines.append('type %d %d %s' % (number, size, name(kind)))
    lines.append('types %d' % len(rows))
    lines.append('collector %s thresholds %d %d %d counts %d %d %d'
                 % (('enabled' if collector[0] else 'disabled',) + tuple(collector[1]) + tuple(collector[2])))
    for number, one in enumerate(gc.get_stats() if hasattr(gc, 'get_stats') else ()):
        lines.append('generation %d collections %d collected %d uncollectable %d'
                     % (number, one['collections'], one['collected'], one['uncollectable']))
    lines.append('garbage %d' % len(gc.garbage))
    dead = {}
    for thing in gc.garbage[:many]:
        dead.setdefault(id(type(thing)), [type(thing), 0])[1] += 1
    for kind, number in sorted(dead.values(), key=lambda row: -row[1])[:20]:
        lines.append('garbage-type %d %s' % (number, name(kind)))
    traced = sys.modules.get('tracemalloc')
    if traced is not None and traced.is_tracing():
        if traced.get_tracemalloc_memory() > 64 << 20:
            cut.append('traces')
        else:
            for one in traced.take_snapshot().statistics('lineno')[:20]:
                place = one.traceback[0]
                lines.append('traced %d %d %d %s' % (one.size, one.count, place.lineno, plain(place.filename)))
    for what in sorted(set(cut)):
        lines.append('cut ' + what)
    lines.append('seconds %.3f' % (time.time() - begun))
    lines.append('end\n')
    out.write('\n'.join(lines).encode('ascii', 'replace'))
    out.close()


def quietly(seconds):
    try:
        figures(seconds)
    except Exception:
        pass


def begin():
    import sys
    threads = __import__('_thread' if sys.version_info[0] > 2 else 'thread')
    if type(threads.start_new_thread) is type(len):
        threads.start_new_thread(quietly, (SECONDS,))
    else:
        quietly(1)


try:
    begin()
except Exception:
    pass
