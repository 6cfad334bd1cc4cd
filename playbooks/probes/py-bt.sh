#!/bin/sh
# Python and C stacks of all threads, by gdb: py-bt.sh PID LOCALS SECONDS GUARD GDB-SCRIPT GDB-SCRIPT GDB-SCRIPT
#
# LOCALS is 1 for the local variables of each frame; SECONDS bounds the stop. Prints "TID n:", "#0  0xADDRESS FUNCTION" and,
# below the interpreter's frames, '    File "FILE", line N, in FUNCTION [def line M]'. Lines that begin with "== " are this
# script's and the gdb scripts'.
pid=$1
locals=$2
seconds=$3
case $# in 7) ;; *) echo "usage: py-bt.sh PID LOCALS SECONDS GUARD GDB-SCRIPT GDB-SCRIPT GDB-SCRIPT" >&2; exit 64 ;; esac
case $1$2$3 in *[!0-9]*) echo "py-bt.sh: PID, LOCALS and SECONDS are numbers" >&2; exit 64 ;; esac
. "$4"
guard
command -v gdb >/dev/null 2>&1 || { echo "== missing: gdb"; exit 127; }

# Where the stacks are now, for gdb to read the debug information of those places before it stops the process.
addresses=
if [ -z "$root" ] && command -v eu-stack >/dev/null 2>&1; then
  addresses=$($limit 8 eu-stack -q -n 100 -p "$pid" 2>/dev/null |
    awk '/^#/ && !($2 in seen) { seen[$2]; print $2; if (++n == 2000) exit }')
  as_before
fi
printf '%s\n' "$addresses" |
  STRACEBACK_PID=$pid STRACEBACK_ROOT=$root STRACEBACK_LOCALS=$locals STRACEBACK_SECONDS=$seconds \
    $limit "$((seconds + 60))" gdb -nx -batch -iex 'set auto-load off' -x "$5" -x "$6" -x "$7" 2>&1
as_before
report_after
