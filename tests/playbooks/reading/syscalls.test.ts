import { describe, expect, it } from 'vitest';
import type { SampledThread } from '../../../playbooks/probes/sample.ts';
import {
  cpuShare,
  intArgument,
  runningShare,
  sampledCalls,
  socketInode,
  splitArguments,
  stateShare,
  tracedFd,
  unreadableShare,
  waitLimit,
} from '../../../playbooks/reading/syscalls.ts';

const call = (name: string, times: number, args: string[] = []) => ({ name, count: times, args, fd: null, at: 1 });

const thread: SampledThread = {
  tid: 7,
  comm: 'x',
  samples: 10,
  states: { S: 6, R: 3, D: 1 },
  userSeconds: 1.2,
  systemSeconds: 0.3,
  voluntarySwitches: 0,
  involuntarySwitches: 0,
  syscalls: [call('recvfrom', 5, ['0x3', '0x0']), call('running', 4), call('?', 1)],
  wchans: [],
  kernelStack: [],
  at: 1,
};

it('reads shares of the samples', () => {
  expect(sampledCalls(thread)).toEqual([
    { name: 'recvfrom', share: 0.5, args: ['0x3', '0x0'], fd: null, fdNumber: 3, at: 1 },
  ]);
  expect([runningShare(thread), unreadableShare(thread), stateShare(thread, 'RD')]).toEqual([0.4, 0.1, 0.4]);
  expect(cpuShare(thread, 3)).toBeCloseTo(0.5);
  expect(cpuShare(thread, 0)).toBe(0);
});

describe('registers', () => {
  it('are signed numbers of 32 bits where the argument is an int', () => {
    expect(intArgument(['0xffffffff'], 0)).toBe(-1);
    expect(intArgument(['0xffffffffffffffff'], 0)).toBe(-1);
    expect(intArgument(['0x7'], 0)).toBe(7);
    expect(intArgument(['?'], 0)).toBeNull();
    expect(intArgument([], 3)).toBeNull();
  });

  it('tell how long a readiness call may wait (poll(2), epoll_wait(2), select(2))', () => {
    expect(waitLimit('poll', ['0x1', '0x1', '0xffffffff'])).toBe('none');
    expect(waitLimit('poll', ['0x1', '0x1', '0x0'])).toBe('now');
    expect(waitLimit('epoll_wait', ['0x3', '0x1', '0x10', '0x3e8'])).toBe('some');
    expect(waitLimit('select', ['0x4', '0x1', '0x0', '0x0', '0x0'])).toBe('none');
    expect(waitLimit('ppoll', ['0x4', '0x1', '0x7ffc'])).toBe('some');
    expect(waitLimit('read', ['0x4'])).toBeNull();
    expect(waitLimit('poll', [])).toBeNull();
  });
});

describe('strace’s arguments', () => {
  it('are split at their outermost commas', () => {
    expect(splitArguments('3<socket:[1]>, "a, \\"b\\", c", {x=1, y=[2, 3]}, 0')).toEqual([
      '3<socket:[1]>',
      '"a, \\"b\\", c"',
      '{x=1, y=[2, 3]}',
      '0',
    ]);
    expect(splitArguments('')).toEqual([]);
    expect(splitArguments('"unfinished, text')).toEqual(['"unfinished, text']);
  });

  it('begin with a descriptor, or not', () => {
    expect(tracedFd('3<socket:[1]>, 5')).toBe(3);
    expect(tracedFd('12')).toBe(12);
    expect(tracedFd('AT_FDCWD, "/x"')).toBeNull();
    expect(tracedFd('')).toBeNull();
  });

  it('name sockets by inode', () => {
    expect(socketInode('socket:[123]')).toBe('123');
    expect(socketInode('/tmp/socket:[123]')).toBeNull();
    expect(socketInode(null)).toBeNull();
  });
});
