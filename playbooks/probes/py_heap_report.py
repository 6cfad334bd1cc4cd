"""Prints what was seen of a heap, in lines that a person can read and py-heap.ts reads back. Contents are never shown."""
from collections import Counter

from py_read_report import quoted, token

TYPES_SHOWN = 40  # by bytes, and as many by growth
CONTAINERS_SHOWN = 15  # by size, and as many by growth
MEMBERS_SHOWN = 12


def report_lines(heap):
    """The lines of the report, without newlines."""
    first, last = heap.first, heap.last
    yield 'python %s looks %d seconds %.2f counting %.2f' % (
        heap.runtime.version, 2 if last else 1, last.at - first.at if last else 0.0,
        first.seconds + (last.seconds if last else 0.0))
    for note in heap.notes + list(gaps(heap)):
        yield 'note ' + quoted(note)
    for census in (first, last):
        if census is not None:
            for line in pool_lines(census):
                yield line
    for state in heap.states:
        yield ('collector %s, thresholds %s, counts %s, %s collections, %d in gc.garbage, %s uncollectable, %d frozen' % (
            'enabled' if state['enabled'] else 'disabled', ' '.join(map(str, state['thresholds'])),
            ' '.join(map(str, state['counts'])), number(state['collections']), state['garbage'],
            number(state['uncollectable']), state['frozen']))
    for use in heap.settings:
        yield use_line(use)
    for line in garbage_lines(heap):
        yield line
    for line in type_lines(heap):
        yield line
    for line in container_lines(heap):
        yield line
    for line in frame_lines(heap):
        yield line
    if heap.refs is not None:
        for line in reference_lines(heap):
            yield line
    yield 'end'


def number(value):
    return '?' if value is None else '%d' % value


def gaps(heap):
    """Sentences about what was not looked at."""
    for census, name in ((heap.first, 'first'), (heap.last, 'last')):
        if census is None:
            continue
        if not census.pools.used:
            yield 'No pools of pymalloc were found: only objects of the garbage collector are counted, as far as its lists go.'
        if census.pools.swapped:
            yield '%d pages of 4 KiB are in swap and were not looked at.' % census.pools.swapped
        if not census.complete:
            yield 'The %s count was cut short by its time limit.' % name
        if census.torn:
            yield '%d pools changed all the time and were not counted in the %s count.' % (census.torn, name)
    if heap.first.stride > 1:
        yield ('One MiB in %d was looked at, and %.1f %% of the blocks: the counts by type are estimates.'
               % (heap.first.stride, 100 * heap.first.share))
    if not heap.states:
        yield 'The state of the garbage collector could not be found.'
    if not heap.holders.complete:
        yield 'Not all that modules and local variables lead to was looked at: some containers have no name here.'


def pool_lines(census):
    pools = census.pools
    yield 'pymalloc %d pools in use, %d free; %d blocks in use, %d bytes; %d bytes free in pools; %d other blocks, %d bytes' % (
        len(pools.used), pools.free, pools.blocks, pools.used_bytes, pools.free_bytes + pools.free * pools.size,
        round(census.other_blocks * census.stride), round(census.other_bytes * census.stride))


def garbage_lines(heap):
    tracked = sum(heap.first.collected[2::3]) * heap.first.stride
    yield 'garbage %d of %d sampled objects, of %d that the collector looks after in pools' % (
        len(heap.dead), heap.sampled, tracked)
    shown, name = heap.types.shown, lambda kind: heap.types.known[kind]
    counts = Counter(shown(name(proof[0][1]), heap.dicts) for proof in heap.dead)
    for kind, count in counts.most_common(MEMBERS_SHOWN):
        yield '  garbage-type %s %d' % (token(kind), count)
    if heap.dead:
        # The smallest group of the commonest type shows it best.
        common = counts.most_common(1)[0][0]
        proofs = [proof for proof in heap.dead if shown(name(proof[0][1]), heap.dicts) == common]
        proof = min(proofs, key=len)
        yield '  cycle of %d objects, all references to them are from each other: %s' % (len(proof), ', '.join(
            '%s %d' % (token(shown(name(kind), heap.dicts)), count) for _, kind, count in proof[:MEMBERS_SHOWN]))


def type_lines(heap):
    first, last = heap.first, heap.last
    then, now = totals(first), totals(last) if last else None
    latest = now or then
    grown = dict((kind, (latest[kind][0] - then.get(kind, (0, 0, 0))[0], sum(latest[kind][1:]) - sum(then.get(kind, (0, 0, 0))[1:])))
                 for kind in latest)
    order = sorted(latest, key=lambda kind: (-sum(latest[kind][1:]), kind))
    chosen = order[:TYPES_SHOWN]
    if now:
        for key in (0, 1):
            chosen += sorted((kind for kind in latest if abs(grown[kind][key]) > 0), key=lambda kind: -abs(grown[kind][key]))[:TYPES_SHOWN]
    chosen = sorted(set(chosen), key=order.index)
    yield 'types %d in all, %d objects%s, without strings, bytes and numbers over 512 bytes' % (
        len(latest), sum(each[0] for each in latest.values()), ', estimated' if first.stride > 1 else '')
    for kind in chosen:
        objects, size, tables = latest[kind]
        line = 'type %s %d objects, %d bytes, %d in tables' % (
            token(heap.types.shown(heap.types.known[kind], heap.dicts)), objects, size, tables)
        if now:
            line += ', grew by %d objects, %d bytes' % grown[kind]
        yield line


def totals(census):
    """{type: (objects, bytes, bytes in tables)}; of a sample, what all of it would come to."""
    times = census.stride
    found = dict((kind, [count * times, census.bytes[kind] * times, census.tables[kind] * times])
                 for kind, count in census.objects.items())
    for kind, count in census.large_objects.items():
        each = found.setdefault(kind, [0, 0, 0])
        each[0] += count
        each[1] += census.large_bytes[kind]
    return dict((kind, tuple(each)) for kind, each in found.items())


def container_lines(heap):
    growers = heap.growers()
    still = sorted((each for each in heap.watched if not each.changed), key=lambda each: -each.sizes[-1][1])
    yield 'containers %d watched, %d names grew' % (len(heap.watched), len(growers))
    shown = set()
    for group in growers[:CONTAINERS_SHOWN] + [group for group in heap.groups if group.grown() <= 0][:CONTAINERS_SHOWN]:
        each = group.lead
        shown.add(each.address)
        yield container_line(heap, each)
        start = group.sizes[0][0]
        yield '  sizes %s%s' % (' '.join('%.2f:%d' % (at - start, size) for at, size in thinned(group.sizes)),
                                ' of %d containers of that name' % group.count if group.count > 1 else '')
        if each.items is not None:
            count, keys, values, size = each.items
            yield '  holds in %d items: %s; %d bytes an item' % (count, content(heap, keys, values), round(size))
        if each.uses is not None:
            yield '  source read'
            for use in each.uses:
                yield use_line(use)
    for each in [each for each in still if each.address not in shown][:CONTAINERS_SHOWN]:
        yield container_line(heap, each)


def container_line(heap, each):
    return 'container %s %#x %d items, %s' % (
        token(heap.types.shown(heap.types.known[each.kind], heap.dicts)), each.address, each.sizes[-1][1], called(each.holder, each.bound))


def frame_lines(heap):
    """Where the only thread is, outermost first; of several threads there is no telling which of them adds to what."""
    yield 'threads %d' % heap.holders.threads
    for frame in heap.frames:
        yield '  frame %s %d %s%s' % (token(frame.file), frame.line, token(frame.function),
                                      ' of a library' if frame.kind == 'library' else
                                      ' in a loop that is %s' % frame.loop if frame.loop else '')


def use_line(use):
    return '  %s %s %d %s%s | %s' % (use.kind, token(use.file), use.line, token(use.function),
                                     ' in a loop that is %s' % use.loop if use.loop else '', use_text(use.text))


def use_text(text):
    """A line of source on one line: what is not printable is escaped."""
    return quoted(text)[1:-1].replace('\\"', '"').replace('\\\\', '\\')


def thinned(sizes):
    """At most 16 of the sizes, with the first and the last."""
    step = max(1, (len(sizes) + 14) // 15)
    return sizes[:-1:step] + sizes[-1:]


def called(holder, bound):
    limit = '' if bound is None else ' bounded to %d' % bound
    if holder is None:
        return 'nameless' + limit
    text = '%s %s in %s' % (holder.kind, token(holder.path), token(holder.file or '?'))
    if holder.function:
        text += ' of %s at %d' % (token(holder.function), holder.line)
    return text + limit + (' of a library' if holder.library else '')


def content(heap, keys, values):
    names = lambda counter: ' '.join('%s %d' % (token(heap.types.shown(kind, heap.dicts)), count)
                                     for kind, count in counter.most_common(4))
    return '%s -> %s' % (names(keys), names(values)) if keys else names(values) or 'nothing'


def reference_lines(heap):
    address, items, path, found = heap.refs
    yield 'references to %#x, %d items, %s' % (address, items, token(path) if path else 'nameless')
    for level, referrer, path in found:
        yield '  reference %d %s %#x to %#x, %s' % (
            level, token(heap.types.shown(referrer.kind, heap.dicts)), referrer.address, referrer.target,
            token(path) if path else 'nameless')


def printed(heap):
    """The report as bytes."""
    return ('\n'.join(report_lines(heap)) + '\n').encode('utf-8', 'backslashreplace')
