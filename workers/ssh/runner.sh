# The runner: one resident POSIX shell on the diagnosed host (dash, bash, busybox ash). Its text arrives on standard
# input, and so do the lines that follow it: sb_put, sb_run, sb_end, sb_leave. It answers in frames on standard output. Before
# this text comes one line that sets N, the nonce that every answer begins with. Where it is installed (infra/host), serve.sh
# takes its place as the reader of lines, and sets B, the folder for what is written, and W, which follows `ready`.
#
# The first steps may come together with this text, before anybody can know when their target started. Then T is its pid and A
# how long it must have been running at least, in hundredths of a second: F is the start time that is found here, once, for
# all of these steps, or `gone`, with which none of them runs. It is told with `ready`.
#
# Nothing here may read standard input: the shell reads its script from it in blocks. When it ends, so does everything.
#
# Where descriptors must be gone for good they are closed by `exec` in a subshell: a redirection on a function or a block
# only hides them until it is over.
#
# Files in the folder $D, Q being the number of a step: Q.live not yet reported, Q.pid `PID SIGNAL` while its tool runs,
# Q.end how it ended, Q.out and Q.err with Q.out.size and Q.err.size, Q.cancelled; target.PID what a target was before the
# look, ptraced.PID that a step may have stopped it; ending: standard input has ended; finished, turn: FIFOs.
#
# It is written in parts, in runner/, and sent as one text (playbooks/shell-text.ts).

LC_ALL=C.UTF-8 TERM=dumb
export LC_ALL TERM
unset LANGUAGE LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONINSPECT DEBUGINFOD_URLS
unset CDPATH ENV BASH_ENV
PATH=${PATH:-/usr/bin:/bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
umask 077
set -f
unset IFS

# Says what is wrong instead of `ready`, and ends.
sb_refuse() {
  printf '\n%s refused %s\n' "$N" "$*"
  exit 3
}

. "${0%/*}/runner/targets.sh"
. "${0%/*}/runner/steps.sh"
. "${0%/*}/runner/answers.sh"
. "${0%/*}/runner/requests.sh"
. "${0%/*}/runner/session.sh"

sb_start
