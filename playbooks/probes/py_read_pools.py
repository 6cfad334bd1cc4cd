"""Finds the pools of pymalloc in another process by their headers, and reads them.

Small objects lie in pools: 4 KiB to 3.9, 16 KiB from 3.10 on, aligned to their size, inside of arenas that are mapped
anonymously (Objects/obmalloc.c; Include/internal/pycore_obmalloc.h from 3.12 on). The lists of arenas are static variables
or a tree, at other places in each version and without a name in a stripped build. A pool's header says what it is, in the
same way in 2.7 to 3.14, and is checked field by field, so every resident page where a pool could begin is looked at.
"""
import struct
import time

from py_read_memory import LARGEST_READ, Torn

HEADER = struct.Struct('<QQQQIIII')  # ref.count, freeblock, nextpool, prevpool, arenaindex, szidx, nextoffset, maxnextoffset
OVERHEAD = 48
PAGE = 4096
PRESENT = 1 << 63  # proc(5), /proc/PID/pagemap; a page in swap is not read, for that would bring it back
RUN_MOST = 1 << 20  # bytes that are read in one go
OTHER_MAPPINGS = (b'[stack', b'[vdso', b'[vvar', b'[vsyscall', b'[heap')


def pool_size(version):
    """Bytes of a pool: POOL_SIZE."""
    return 1 << 14 if version >= (3, 10) else 1 << 12


class Pools(object):
    """The pools found in one look: `used` as sorted (address, block size, blocks in use, end of the carved part).

    `free` counts pools without a block in use; `free_bytes` are free blocks in pools with some in use.
    """

    def __init__(self, size):
        self.size = size
        self.bits = size.bit_length() - 1
        self.used = []
        self.free = 0
        self.used_bytes = self.free_bytes = self.blocks = 0
        self.swapped = 0
        self.complete = True

    def numbers(self):
        """The numbers of all used pools: an address shifted by `bits` is in it when it lies in one."""
        return set(pool[0] >> self.bits for pool in self.used)


def find_pools(memory, version, deadline):
    """The Pools of the process. Where time runs out, or pages are in swap, `complete` and `swapped` say so."""
    pools = Pools(pool_size(version))
    for mapping in memory.maps():
        if mapping.inode or mapping.flags[:2] != 'rw' or mapping.path.startswith(OTHER_MAPPINGS):
            continue
        if mapping.end - mapping.start < 16 * pools.size:
            continue
        if time.monotonic() > deadline:
            pools.complete = False
            break
        for addresses in candidates(memory, mapping, pools):
            add_pools(memory, addresses, pools)
            if time.monotonic() > deadline:
                pools.complete = False
                break
    return pools


def candidates(memory, mapping, pools):
    """Lists of addresses in a mapping where a pool may begin: aligned, and in memory."""
    first = (mapping.start + pools.size - 1) // pools.size * pools.size
    last = (mapping.end - pools.size) // pools.size * pools.size
    step = pools.size // PAGE
    for start in range(first, last + 1, pools.size << 13):
        end = min(start + (pools.size << 13), last + pools.size)
        pages = memory.page_flags(start, (end - start) // PAGE)
        if pages is None:
            yield list(range(start, end, pools.size))
            continue
        pools.swapped += sum(1 for flags in pages if flags >> 62 & 1)
        found = pages[::step]
        yield [start + index * pools.size for index, flags in enumerate(found) if flags & PRESENT]


def add_pools(memory, addresses, pools):
    """Takes in those of the addresses at which a pool's header stands."""
    size, unpack = pools.size, HEADER.unpack
    for address, head in zip(addresses, memory.read_all([(address, OVERHEAD) for address in addresses])):
        if head is None:
            continue
        count, free, following, before, arena, index, carved, last = unpack(head)
        block = size - last
        if not 8 <= block <= 1024 or block != (index + 1) * 8 and block != (index + 1) * 16 or arena >= 1 << 24:
            continue
        if not OVERHEAD + block <= carved <= size or (carved - OVERHEAD) % block:
            continue
        count &= 0xffffffff
        blocks = (carved - OVERHEAD) // block
        if count > blocks or free and not address + OVERHEAD <= free < address + size or following % 16 or before % 16:
            continue
        if not count:
            pools.free += 1
            continue
        pools.used.append((address, block, count, carved))
        pools.blocks += count
        pools.used_bytes += count * block
        pools.free_bytes += ((size - OVERHEAD) // block - count) * block


def runs(memory, pools, chosen):
    """(start, bytes, pools in them) of the chosen pools, neighbours in one read. What cannot be read is left out."""
    size, index = pools.size, 0
    most = min(RUN_MOST, LARGEST_READ) // size
    while index < len(chosen):
        start, count = chosen[index][0], 1
        while index + count < len(chosen) and count < most and chosen[index + count][0] == start + count * size:
            count += 1
        try:
            yield start, memory.read(start, count * size), chosen[index:index + count]
        except Torn:
            for pool in chosen[index:index + count]:
                try:
                    yield pool[0], memory.read(pool[0], size), [pool]
                except Torn:
                    continue
        index += count


def free_blocks(words, base, size, block):
    """Indices of the free blocks of the pool whose bytes are `words` (8 bytes each), read at `base`.

    Returns (indices, number of blocks that were ever carved); None when they do not hold together.
    """
    count = words[0] & 0xffffffff
    carved = words[5] & 0xffffffff
    if words[5] >> 32 != size - block or not OVERHEAD + block <= carved <= size:
        return None
    blocks = (carved - OVERHEAD) // block
    free, at, found = blocks - count, words[1], []
    if free < 0:
        return None
    low = base + OVERHEAD
    while at:
        index, rest = divmod(at - low, block)
        if rest or not 0 <= index < blocks or len(found) > free:
            return None
        found.append(index)
        at = words[(at - base) >> 3]
    return (found, blocks) if len(found) == free else None
