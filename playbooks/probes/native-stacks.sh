#!/bin/sh
# C stacks of all threads: native-stacks.sh PID FRAMES GDB-SCRIPT
#
# eu-stack first: it stops one thread at a time, for as long as it takes to walk its stack. gdb, which stops all threads
# until it is done, when eu-stack is absent, saw nothing, or would read other files than the process has mapped.
# Both print "TID n:" and "#0  0xADDRESS FUNCTION - MODULE"; lines that begin with "== " are this script's.
LC_ALL=C
PATH=$PATH:/usr/bin:/bin:/usr/sbin:/sbin
DEBUGINFOD_URLS=
export LC_ALL PATH DEBUGINFOD_URLS
cd / || exit 1

pid=$1
frames=$2
script=$3
case $# in 3) ;; *) echo "usage: native-stacks.sh PID FRAMES GDB-SCRIPT" >&2; exit 64 ;; esac
case $1$2 in *[!0-9]*) echo "native-stacks.sh: PID and FRAMES are numbers" >&2; exit 64 ;; esac

# "STATE TRACER" of the process; empty when it is gone.
status() {
  awk '$1 == "State:" { s = $2 } $1 == "TracerPid:" { t = $2 } END { if (s != "") print s, t }' \
    "/proc/$pid/status" 2>/dev/null
}

# A tool that was killed in the middle can leave the process stopped; one that was stopped before stays so.
as_before() {
  after=$(status)
  case ${before%% *}${after%% *} in
    TT | Tt) ;;
    T?) kill -STOP "$pid" 2>/dev/null ;;
    ?T) kill -CONT "$pid" 2>/dev/null ;;
  esac
}

before=$(status)
[ -n "$before" ] || { echo "== gone: no process $pid"; exit 3; }
tracer=$(cat /proc/"$pid"/task/*/status 2>/dev/null | awk '$1 == "TracerPid:" && $2 != 0 { print $2; exit }')
[ -z "$tracer" ] || { echo "== refused: already traced by process $tracer"; exit 3; }

[ -e "/proc/$pid/root/" ] || {
  [ -n "$(status)" ] || { echo "== gone: no process $pid"; exit 3; }
  echo "== denied: /proc/$pid/root"
  exit 4
}

# eu-stack opens what the process has mapped by its path on the host (and an executable that was deleted by its link in
# /proc), so a process that sees other files there is for gdb.
root=
exe=$(readlink "/proc/$pid/exe" 2>/dev/null)
[ "/proc/$pid/root/" -ef / ] || root=/proc/$pid/root
case $exe in
  *' (deleted)') ;;
  *) [ "/proc/$pid/exe" -ef "$exe" ] || root=/proc/$pid/root ;;
esac

seen=0
if command -v eu-stack >/dev/null 2>&1; then
  if [ -n "$root" ]; then
    echo "== eu-stack would read the host's files, and the process sees others"
  else
    echo "== eu-stack -m -n $frames -p $pid"
    timeout -s KILL 8 eu-stack -m -n "$frames" -p "$pid" | awk '/^#/ { seen = 1 } { print substr($0, 1, 600) } END { exit seen ? 10 : 0 }'
    seen=$?
    as_before
  fi
fi
if [ "$seen" -ne 10 ]; then
  if command -v gdb >/dev/null 2>&1; then
    echo "== gdb -nx -batch, stacks of $pid"
    STRACEBACK_PID=$pid STRACEBACK_FRAMES=$frames STRACEBACK_ROOT=$root timeout -s KILL 20 \
      gdb -nx -batch -iex 'set auto-load off' -x "$script" 2>&1 </dev/null
    as_before
  elif ! command -v eu-stack >/dev/null 2>&1 || [ -n "$root" ]; then
    missing='eu-stack or gdb'
    [ -z "$root" ] || missing=gdb
    echo "== missing: $missing"
    exit 127
  fi
fi
after=$(status)
[ -z "$after" ] || echo "== after: state ${after%% *}, tracer ${after##* }"
[ -n "$after" ] || echo "== after: the process has ended"
