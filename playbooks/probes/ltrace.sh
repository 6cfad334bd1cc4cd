#!/bin/sh
# Counts the library calls of a process with one thread: ltrace.sh PID TENTHS GUARD
#
# ltrace puts breakpoints into the running code. A process with several threads dies of them (SIGTRAP), so it is refused here,
# whoever allowed it; and an ltrace that is killed leaves them behind, so it only ever gets SIGINT, upon which it takes them
# out. Lines that begin with "== " are this script's.
pid=$1
tenths=$2
case $# in 3) ;; *) echo "usage: ltrace.sh PID TENTHS GUARD" >&2; exit 64 ;; esac
case $1$2 in *[!0-9]*) echo "ltrace.sh: PID and TENTHS are numbers" >&2; exit 64 ;; esac
. "$3"
guard
command -v ltrace >/dev/null 2>&1 || { echo "== missing: ltrace"; exit 127; }

threads() {
  set -- /proc/"$pid"/task/[0-9]*
  echo $#
}
refuse_threads() {
  echo "== refused: it has $1 threads, and ltrace ends a process with more than one"
  exit 5
}
have=$(threads)
[ "$have" -eq 1 ] || refuse_threads "$have"
case ${before%% *} in
  R | S) ;;
  *) echo "== refused: it is in state ${before%% *}, in which breakpoints cannot be taken out in time"; exit 5 ;;
esac

ltrace -c -p "$pid" 2>&1 &
tracing=$!
finish() { kill -INT "$tracing" 2>/dev/null; }
trap finish TERM HUP INT
while [ "$tenths" -gt 0 ] && kill -0 "$tracing" 2>/dev/null; do
  sleep 0.1 2>/dev/null || { sleep 1; tenths=$((tenths - 9)); }
  tenths=$((tenths - 1))
  # One that starts now would die of the next breakpoint that it meets.
  have=$(threads)
  [ "$have" -le 1 ] || { echo "== ended early: it started a thread"; break; }
done
finish
wait "$tracing"
code=$?
while kill -0 "$tracing" 2>/dev/null; do wait "$tracing"; code=$?; done
echo "== ltrace exit $code"
as_before
report_after
