"""Whether objects of another process are cyclic garbage: nothing outside of a group of them refers to any of the group.

As the collector itself does it (Modules/gcmodule.c, subtract_refs): of a group of objects the references that they
have to each other are taken off their reference counts. Where some count is not used up, somebody outside knows that object,
and with it all that it refers to. What is left has no way in. Here the group is what one sampled object leads to, up to a
limit. References that are not seen (types that are not known, C code, limits) only leave a count that is not used up, so
garbage may be missed, but nothing alive is taken for it. Objects are looked at twice; one that changed is alive.
"""
import array
import random
import struct
import time

from py_read_memory import Torn
from py_read_pools import OVERHEAD, free_blocks
from py_read_types import HAVE_GC, TYPE_SUBCLASS

GROUP_MOST = 60
BIG_GROUP = 2000  # objects, for some of those that lead to more than the first limit
BIG_SAMPLES, BIG_SECONDS = 12, 0.5
ITEMS_MOST = 300
STOPS = ('module', 'frame', 'generator', 'coroutine', 'async_generator', 'weakref', 'weakref.ReferenceType', 'weakproxy')


class Garbage(object):
    """Samples objects of the collector's and tells which of them are garbage."""

    def __init__(self, references, counting):
        self.references = references
        self.counting = counting
        self.types = references.types
        self.memory = references.memory
        self.version = references.version
        self.limited = False

    def sample(self, census, count, seed=0):
        """Up to `count` addresses of live objects of the collector's, each as likely as any other."""
        chosen = random.Random(seed)
        table = census.collected
        total = sum(table[2::3])
        if not total:
            return []
        places = sorted(chosen.randrange(total) for _ in range(count))
        found, passed, at = [], 0, 0
        for place in places:
            while passed + table[at + 2] <= place:
                passed += table[at + 2]
                at += 3
            address = self._one_of(table[at], table[at + 1], census.pools.size, chosen)
            if address:
                found.append(address)
        return found

    def _one_of(self, pool, block, size, chosen):
        """The address of one of the collector's objects in a pool, 0 when there is none any more."""
        words = array.array('Q')
        try:
            words.frombytes(self.memory.read(pool, size))
        except Torn:
            return 0
        free = free_blocks(words, pool, size, block)
        if free is None:
            return 0
        kinds = self.counting._kinds(words, block, free[1], free[0])
        places = [index for index, kind in enumerate(kinds) if kind in self.types.collected]
        if not places:
            return 0
        index = chosen.choice(places)
        return pool + OVERHEAD + index * block + self.types.prefix(self.types.known[kinds[index]])

    def proofs(self, addresses, thorough):
        """The proofs of those that are garbage. `thorough`: some are followed further where the first limit was met."""
        found, limited = [], []
        for address in addresses:
            proof = self.proof(address)
            if proof:
                found.append(proof)
            elif self.limited:
                limited.append(address)
        deadline = time.process_time() + BIG_SECONDS
        for address in limited[:BIG_SAMPLES] if thorough else ():
            proof = self.proof(address, BIG_GROUP)
            if proof:
                found.append(proof)
            if time.process_time() > deadline:
                break
        return found

    def proof(self, address, most=GROUP_MOST):
        """[(address, type address, references from within the group)] of a piece of garbage that `address` belongs to,
        itself first; None when it is alive, or that cannot be told.
        """
        try:
            group = self._group(address, most)
            counts, owned = group
            dead = self._dead(address, counts, owned)
            if dead is None:
                return None
            again = self._group(address, most)
            if again[0] != counts or self._dead(address, *again) is None:
                return None
            return [(each, counts[each][1], counts[each][0]) for each in dead]
        except Torn:
            return None

    def _group(self, start, most):
        """What `start` leads to, nearest first: {address: (reference count, type address)}, {address: [references]}."""
        counts, owned, order = {}, {}, [start]
        self.limited = False
        waiting = set(order)
        for address in order:
            count, word = struct.unpack('<QQ', self.memory.read(address, 16))
            kind = self.types.get(word)
            if kind is None:
                continue
            if self.version >= (3, 14):
                count &= 0xffffffff
            if not count:
                raise Torn('freed')
            counts[address] = count, word
            owned[address] = []
            # Types and modules are known to all the world.
            if kind.name in STOPS or kind.flags & TYPE_SUBCLASS:
                continue
            owned[address] = found = [each for _, _, each in self.references.of(address, kind, ITEMS_MOST)]
            fresh = [each for each in set(found) if each not in waiting]
            for each, its in zip(fresh, self.references.kinds(fresh)):
                if len(order) >= most:
                    self.limited = True
                    break
                if its is not None and its.flags & HAVE_GC and not its.flags & TYPE_SUBCLASS and its.name not in STOPS:
                    waiting.add(each)
                    order.append(each)
        return counts, owned

    def _dead(self, start, counts, owned):
        """The members of the group without a way in from outside, `start` first; None when that is none of them."""
        left = dict((address, count[0]) for address, count in counts.items())
        for found in owned.values():
            for each in found:
                if each in left:
                    left[each] -= 1
        alive = [address for address, count in left.items() if count != 0]
        seen = set(alive)
        for address in alive:
            for each in owned[address]:
                if each in left and each not in seen:
                    seen.add(each)
                    alive.append(each)
        if start in seen or start not in left:
            return None
        return [start] + [address for address in counts if address != start and address not in seen]
