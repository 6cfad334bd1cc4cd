import { describe, expect, it } from 'vitest';
import { childInfo, faultPlace, isCrash, toldEnd, waitedEnd } from '../../../playbooks/reading/crash-lines.ts';
import { fatalSignal } from '../../../playbooks/reading/crash-told.ts';

describe('what log lines say of an end', () => {
  it.each([
    ['DAMN ! worker 3 (pid: 4711) died, killed by signal 11 :( trying respawn ...', 4711, 11],
    ['[2026-11-21 19:11:38 +0000] [77] [ERROR] Worker (pid:78) was sent SIGSEGV!', 78, 11],
    ['[77] [WARNING] Worker with pid 90 was terminated due to signal 6', 90, 6],
    ["Process 'ForkPoolWorker-1' pid:123 exited with 'signal 11 (SIGSEGV)'", 123, 11],
    ['shop.service: Main process exited, code=dumped, status=11/SEGV', null, 11],
    ['INFO exited: web (terminated by SIGABRT (core dumped); not expected)', null, 6],
    ['worker 5576 ended with exit code -6, batch 0 is lost', 5576, 6],
    ['child 812 exited with status 139', 812, 11],
    ['!!! uWSGI process 123 got Segmentation Fault !!!', 123, 11],
    ['[ERROR] Worker (pid:80) was sent SIGKILL! Perhaps out of memory?', 80, 9],
    ['[ERROR] Worker (pid:81) exited with code 1', 81, null],
    ['worker 7 handled 200 requests', null, null],
  ])('%s', (line, pid, signal) => expect(toldEnd(line)).toEqual({ pid, signal }));

  it('counts only signals of a program that went wrong as crashes', () => {
    expect([4, 6, 7, 8, 11].every(isCrash)).toBe(true);
    expect([null, 1, 2, 3, 9, 15, 19].some(isCrash)).toBe(false);
    expect(fatalSignal('Fatal Python error: Segmentation fault')).toBe(11);
    expect(fatalSignal('Fatal Python error: GC object already tracked')).toBe(6);
  });
});

describe('what traces and the kernel say', () => {
  it('reads the status of wait calls', () => {
    const args = '-1, [{WIFSIGNALED(s) && WTERMSIG(s) == SIGSEGV && WCOREDUMP(s)}], WNOHANG, NULL';
    expect(waitedEnd('wait4', args, '78')).toEqual({ pid: 78, signal: 11, status: null });
    expect(waitedEnd('wait4', '78, [{WIFEXITED(s) && WEXITSTATUS(s) == 3}], 0, NULL', '78')).toEqual({
      pid: 78,
      signal: null,
      status: 3,
    });
    expect(waitedEnd('wait4', '-1, 0x7ffd, WNOHANG, NULL', '0')).toBeNull();
    expect(waitedEnd('read', '3, "", 1', '0')).toBeNull();
    const info =
      'P_PID, 78, {si_signo=SIGCHLD, si_code=CLD_DUMPED, si_pid=78, si_uid=0, si_status=SIGABRT, si_utime=0}';
    expect(waitedEnd('waitid', info, '0')).toEqual({ pid: 78, signal: 6, status: null });
    expect(childInfo('si_code=CLD_EXITED, si_pid=9, si_uid=0, si_status=0')).toEqual({
      pid: 9,
      signal: null,
      status: 0,
    });
  });

  it('reads where a fault was, on newer and older kernels', () => {
    const newer = 'segfault at 0 ip 00007f sp 00007f error 4 in thumbs.so[11ea,7f991bcbe000+1000] likely on CPU 1';
    expect(faultPlace(newer)).toEqual({ name: 'thumbs.so', offset: '0x11ea', start: '7f991bcbe000' });
    expect(faultPlace('general protection ip:7f sp:7f error:0 in libc-2.17.so[7f2a3c000000+1c4000]')).toEqual({
      name: 'libc-2.17.so',
      offset: null,
      start: '7f2a3c000000',
    });
    expect(faultPlace('segfault at 8 ip 0 sp 0 error 14')).toBeNull();
  });
});
