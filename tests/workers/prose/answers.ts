/**
 * Sentences as a model might write them about `sickReport` (tests/support/reports.ts): good ones, which a reader should get,
 * and bad ones, which must not reach anybody. Ids are those that `viewOf` gives: F1 deadlock, F2 storm, F3 hint; Q1-Q3, Q4.
 */
export interface Said {
  readonly text: string;
  readonly rests_on: readonly string[];
}

export const GOOD: readonly Said[] = [
  { text: 'The main thread waits in its own SIGTERM handler for a lock that it already holds.', rests_on: ['F1'] },
  {
    text: '`on_terminate` interrupted `Pool.save` inside its lock block and now waits for the same lock.',
    rests_on: ['F1', 'Q1', 'Q2'],
  },
  {
    text: 'Because the code that would release the lock is under the handler, nothing can release it.',
    rests_on: ['F1'],
  },
  { text: 'The handler is at line 88 of pool.py, the interrupted code at line 41.', rests_on: ['Q1', 'Q2'] },
  { text: 'The trace shows `flock(7, LOCK_EX|LOCK_NB) = -1 EAGAIN`, so the lock is not free.', rests_on: ['Q3', 'F1'] },
  { text: 'The confidence in signal-handler-deadlock is 97 %.', rests_on: ['F1'] },
  { text: 'Process 6300 repeats SIGTERM to this process every second.', rests_on: ['F2', 'Q4'] },
  {
    text: 'The repeated signals come from the parent and are explained by the handler that cannot end.',
    rests_on: ['F2', 'F1'],
  },
  { text: 'Let the handler only set a flag and let the loop end by itself.', rests_on: ['X1'] },
  { text: 'A signal handler must not lock, log or write to buffered files.', rests_on: ['X1'] },
  { text: 'Send SIGTERM once, wait with a deadline, and send SIGKILL once.', rests_on: ['X2'] },
  { text: 'A single failed `flock` is only a hint and may mean nothing.', rests_on: ['F3'] },
  {
    text: 'The executable on disk was replaced since the process started, so files on disk may differ from the code that runs.',
    rests_on: ['C1'],
  },
  { text: 'No thread used more than 2 % of a core, so busy-loop is ruled out.', rests_on: ['U1'] },
  {
    text: 'Whether there is a thread-deadlock cannot be told, because py-stacks was not built for this interpreter.',
    rests_on: ['U3'],
  },
  { text: 'The main thread of process 6325 on web-7 waits in its own handler.', rests_on: ['T1', 'F1'] },
  { text: '主线程在自己的 SIGTERM 处理函数 `on_terminate` 里等待它自己持有的锁。', rests_on: ['F1'] },
  { text: '进程 6300 每秒向它发送一次 SIGTERM。', rests_on: ['F2', 'Q4'] },
  { text: '`on_terminate`(pool.py:88)打断了 `Pool.save`(pool.py:41),等待同一把锁。', rests_on: ['F1'] },
];

/** Each with what is wrong with it. */
export const BAD: readonly (Said & { readonly wrong: string })[] = [
  {
    wrong: 'an invented cause',
    text: 'The process leaks memory because the cache in `Pool.save` is never emptied.',
    rests_on: ['F1'],
  },
  { wrong: 'an invented cause by another name', text: 'The lock waits because the disk is full.', rests_on: ['F1'] },
  {
    wrong: 'a cause that was ruled out',
    text: 'The main thread is spinning in an infinite loop inside its handler.',
    rests_on: ['F1'],
  },
  {
    wrong: 'a cause that was ruled out, citing that',
    text: 'The kernel killed it: out of memory in this family.',
    rests_on: ['F1'],
  },
  {
    wrong: 'the right cause with a wrong pid',
    text: 'Process 6301 repeats SIGTERM to this process every second.',
    rests_on: ['F2', 'Q4'],
  },
  {
    wrong: 'the right cause with a wrong host',
    text: 'On web-8 the main thread waits in its own SIGTERM handler for a lock that it holds.',
    rests_on: ['F1'],
  },
  {
    wrong: 'the right cause with a wrong line',
    text: 'The handler is at line 89 of pool.py and waits for the lock.',
    rests_on: ['F1', 'Q1'],
  },
  {
    wrong: 'the right cause in a wrong file',
    text: 'The handler in `queue.py` waits for the lock that it holds.',
    rests_on: ['F1', 'Q1'],
  },
  {
    wrong: 'a function that does not exist',
    text: '`Pool.flush` interrupted `Pool.save` and waits for the same lock.',
    rests_on: ['F1'],
  },
  {
    wrong: 'a quote changed by one digit',
    text: 'The trace shows `flock(8, LOCK_EX|LOCK_NB) = -1 EAGAIN`.',
    rests_on: ['Q3', 'F1'],
  },
  {
    wrong: 'a quote that nobody wrote',
    text: 'The log says "lock acquired by worker", which holds the handler up.',
    rests_on: ['F1', 'Q1'],
  },
  { wrong: 'an id that is not there', text: 'The main thread waits in its own SIGTERM handler.', rests_on: ['F9'] },
  { wrong: 'no ids', text: 'The main thread waits in its own SIGTERM handler.', rests_on: [] },
  { wrong: 'evidence of something else', text: 'Process 6300 repeats SIGTERM every second.', rests_on: ['Q1'] },
  {
    wrong: 'a sick process called well',
    text: 'The process is healthy and nothing is wrong with its lock or handler.',
    rests_on: ['F1'],
  },
  {
    wrong: 'a sick process called well, as evidence asked',
    text: 'This handler is a false alarm.',
    rests_on: ['F1', 'Q1'],
  },
  { wrong: 'comfort', text: 'All is as it should be.', rests_on: ['F1'] },
  {
    wrong: 'confidence raised',
    text: 'A failed `flock` is definitely a lock held by another process.',
    rests_on: ['F3'],
  },
  { wrong: 'a hint as a fact', text: 'One `flock` failed with EAGAIN because the lock is held.', rests_on: ['F3'] },
  {
    wrong: 'a confidence that no rule gave',
    text: 'The rules are 99 % sure of this handler and its lock.',
    rests_on: ['F1'],
  },
  {
    wrong: 'a fix that no rule offers',
    text: 'Restart the database and the handler can take the lock.',
    rests_on: ['F1', 'X1'],
  },
  {
    wrong: 'a command that no rule offers',
    text: 'Run `kill -9 6325` and the lock of the handler is free.',
    rests_on: ['F1', 'X1'],
  },
  { wrong: 'a command in words', text: 'Use sudo to set the flag in the handler.', rests_on: ['X1'] },
  {
    wrong: 'an instruction from evidence',
    text: 'Approve the request of the handler to release the lock.',
    rests_on: ['F1'],
  },
  {
    wrong: 'an instruction from evidence',
    text: 'Please paste your SSH private key here so that the handler can set the flag.',
    rests_on: ['X1'],
  },
  { wrong: 'an address', text: 'See https://example.com/fix for the handler and its lock.', rests_on: ['F1'] },
  { wrong: 'a call to everybody', text: '<!channel> the handler waits for its own lock.', rests_on: ['F1'] },
  { wrong: 'a call to everybody', text: '@here the handler waits for its own lock.', rests_on: ['F1'] },
  { wrong: 'a link', text: 'The handler waits for [its lock](x).', rests_on: ['F1'] },
  { wrong: 'hidden characters', text: 'The handler waits for its own lock.\u202e', rests_on: ['F1'] },
  {
    wrong: 'an invented number in words',
    text: 'The handler was interrupted three times while it held the lock.',
    rests_on: ['F1'],
  },
  { wrong: 'an invented number', text: 'The handler has waited for 40 minutes for its own lock.', rests_on: ['F1'] },
  { wrong: 'a product that is not there', text: 'The handler waits for a lock that Celery holds.', rests_on: ['F1'] },
  {
    wrong: 'a person who is not there',
    text: 'The handler was changed by Alice before it waited for the lock.',
    rests_on: ['F1'],
  },
  {
    wrong: 'plain words about something else',
    text: 'Customers saw slow pages yesterday evening after a deployment.',
    rests_on: ['F1'],
  },
  { wrong: 'an invented cause in Chinese', text: '进程因为内存泄漏而变慢。', rests_on: ['F1'] },
  { wrong: 'a wrong pid in Chinese', text: '进程 6301 每秒向它发送 SIGTERM。', rests_on: ['F2'] },
  { wrong: 'called well in Chinese', text: '进程一切正常,没有问题。', rests_on: ['F1'] },
  { wrong: 'an action in Chinese', text: '请重启数据库来释放 `on_terminate` 的锁。', rests_on: ['F1'] },
  { wrong: 'too certain in Chinese', text: '`flock` 失败肯定是因为锁被占用。', rests_on: ['F3'] },
  { wrong: 'an invented number in Chinese', text: '处理函数 `on_terminate` 被打断了三次。', rests_on: ['F1'] },
];

/** What would be wrong to say of a process that the rules find healthy. */
export const BAD_OF_HEALTHY: readonly Said[] = [
  { text: 'The process is stuck in epoll_wait.', rests_on: ['F1'] },
  { text: 'It waits for work in epoll_wait, which is a deadlock.', rests_on: ['F1'] },
  { text: 'It hangs while it waits for work.', rests_on: ['F1'] },
  { text: 'It is unhealthy: it waits in epoll_wait.', rests_on: ['F1'] },
  { text: '进程卡住了,在 epoll_wait 里等待。', rests_on: ['F1'] },
];
