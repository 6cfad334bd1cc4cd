#!/bin/sh
# C stacks of all threads: native-stacks.sh PID FRAMES GUARD GDB-SCRIPT
#
# eu-stack first: it stops one thread at a time, for as long as it takes to walk its stack. gdb, which stops all threads
# until it is done, when eu-stack is absent, saw nothing, or would read other files than the process has mapped: it opens
# them by their path on the host (an executable that was deleted, by its link in /proc).
# Both print "TID n:" and "#0  0xADDRESS FUNCTION - MODULE"; lines that begin with "== " are this script's.
pid=$1
frames=$2
script=$4
case $# in 4) ;; *) echo "usage: native-stacks.sh PID FRAMES GUARD GDB-SCRIPT" >&2; exit 64 ;; esac
case $1$2 in *[!0-9]*) echo "native-stacks.sh: PID and FRAMES are numbers" >&2; exit 64 ;; esac
. "$3"
guard

seen=0
if command -v eu-stack >/dev/null 2>&1; then
  if [ -n "$root" ]; then
    echo "== eu-stack would read the host's files, and the process sees others"
  else
    echo "== eu-stack -m -n $frames -p $pid"
    $limit 8 eu-stack -m -n "$frames" -p "$pid" |
      awk '/^#/ { seen = 1 } { print substr($0, 1, 600) } END { exit seen ? 10 : 0 }'
    seen=$?
    as_before
  fi
fi
if [ "$seen" -ne 10 ]; then
  if command -v gdb >/dev/null 2>&1; then
    echo "== gdb -nx -batch, stacks of $pid"
    STRACEBACK_PID=$pid STRACEBACK_FRAMES=$frames STRACEBACK_ROOT=$root \
      $limit 20 gdb -nx -batch -iex 'set auto-load off' -x "$script" 2>&1 </dev/null
    as_before
  elif ! command -v eu-stack >/dev/null 2>&1 || [ -n "$root" ]; then
    missing='eu-stack or gdb'
    [ -z "$root" ] || missing=gdb
    echo "== missing: $missing"
    exit 127
  fi
fi
report_after
