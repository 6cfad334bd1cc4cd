"""What one variable of a running thread was over the samples: how often it changed, which way, and whether it came back."""
import bisect

# Values of these are shown, and nothing else's.
NUMBERS = ('int', 'long', 'float', 'bool', 'size', 'range_iterator', 'rangeiterator', 'list_iterator', 'listiterator',
           'tuple_iterator', 'enumerate')
DISTINCT_MOST = 400
RISES_MOST = 2000  # length up to which the longest rising and falling subsequence of a number is followed


class Series(object):
    """What one variable was over the samples."""
    __slots__ = ('type', 'samples', 'changes', 'rises', 'falls', 'returns', 'first', 'last', 'seen', 'key', 'upward',
                 'downward')

    def __init__(self, kind):
        self.type, self.samples = kind, 0
        self.changes = self.rises = self.falls = self.returns = 0
        self.first = self.last = self.key = None
        self.seen = set()
        # Last numbers of the best rising and falling subsequences of each length (patience sorting).
        self.upward, self.downward = [], []

    def add(self, kind, key, number):
        if number is not None:
            extend(self.upward, number)
            extend(self.downward, -number)
        if self.samples:
            if key != self.key:
                self.changes += 1
                if key in self.seen:
                    self.returns += 1
                if kind != self.type:
                    self.type = 'mixed'
                elif number is not None and self.last is not None:
                    if number > self.last:
                        self.rises += 1
                    elif number < self.last:
                        self.falls += 1
        if self.first is None:
            self.first = number
        self.samples += 1
        self.key, self.last = key, number
        if len(self.seen) < DISTINCT_MOST:
            self.seen.add(key)


def extend(tails, number):
    """Takes one more number into the last numbers of the longest strictly rising subsequences."""
    at = bisect.bisect_left(tails, number)
    if at == len(tails):
        if at < RISES_MOST:
            tails.append(number)
    else:
        tails[at] = number


def one_way(series):
    """How many of its looks fit into one that only rises, or only falls: a torn look spoils one, not the rest."""
    if not series.upward:
        return ''
    return ', of which %d rising %d falling' % (len(series.upward), len(series.downward))


def from_to(series):
    if (series.type in NUMBERS or series.type == 'mixed') and series.first is not None and series.last is not None:
        texts = repr(series.first), repr(series.last)
        if max(len(text) for text in texts) <= 40:
            return ', from %s to %s' % texts
    return ''
