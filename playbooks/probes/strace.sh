#!/bin/sh
# Traces one process: strace.sh PID WINDOW_MS MAX_LINES
#
# First every call in full, for the whole window. A process that makes few calls is attached to once and shows them all.
# One that makes many reaches MAX_LINES early; strace lets go of it at once and then only counts, for no longer than the
# detail took (0.3 to 1 s), because counting slows the process just as much.
#
# Lines that begin with "== " are this script's. strace's own begin with a thread id, a table column or a space, and it
# escapes what the process gives it, so no process can write such a line.
LC_ALL=C
PATH=$PATH:/usr/bin:/bin:/usr/sbin:/sbin
export LC_ALL PATH

pid=$1
window_ms=$2
max_lines=$3
case $# in 3) ;; *) echo "usage: strace.sh PID WINDOW_MS MAX_LINES" >&2; exit 64 ;; esac
case $1$2$3 in *[!0-9]*) echo "strace.sh: arguments are numbers" >&2; exit 64 ;; esac

# Hundredths of a second since boot, by the shell alone: nothing is started to tell the time.
now() {
  read -r uptime rest </proc/uptime
  now_cs=${uptime%.*}${uptime#*.}
}

# "STATE TRACER" of the process; empty when it is gone.
status() {
  awk '$1 == "State:" { s = $2 } $1 == "TracerPid:" { t = $2 } END { if (s != "") print s, t }' \
    "/proc/$pid/status" 2>/dev/null
}

# Hundredths as a decimal fraction: 123 -> 1.23
decimal() {
  printf '%d.%02d' $(($1 / 100)) $(($1 % 100))
}

# run_strace HUNDREDTHS ARGUMENT...: one strace on the process; its trace goes to standard output, its messages to standard
# error. It gets SIGTERM at the end, and SIGKILL a second later, because it can hang in letting go of many short-lived
# children; the kernel then frees the process. The pid that is said first is for the reader of the trace.
run_strace() {
  limit=$(decimal "$1")
  [ -n "$fractions" ] || limit=$((($1 + 99) / 100))
  shift
  timeout -s TERM -k 1 "$limit" strace "$@" -o /dev/fd/3 -p "$pid" 3>&1 >&2 &
  tracing=$!
  trap 'kill -TERM "$tracing" 2>/dev/null' TERM HUP INT
  echo "== strace-pid $tracing"
  wait "$tracing"
  code=$?
  while kill -0 "$tracing" 2>/dev/null; do
    wait "$tracing"
    code=$?
  done
  # Killed in the middle, an old strace can leave the process stopped.
  if [ "$code" -eq 137 ] && [ "${before%% *}" != T ]; then
    case $(status) in T*) kill -CONT "$pid" 2>/dev/null ;; esac
  fi
  echo "== strace-exit $code"
}

# bounded NAME: passes at most MAX_LINES lines on, keeping both ends of an overlong one, ends strace at the first line too
# many, and closes with a line on how it went. Exit 10: cut at the limit; 11: strace failed at once.
bounded() {
  awk -v name="$1" -v max="$max_lines" -v began="$now_cs" '
    /^== strace-pid / { tracing = $3; next }
    /^== strace-exit / { code = $3; next }
    lines == max { if (!cut) { cut = 1; system("kill -TERM " tracing " 2>/dev/null") } next }
    { lines++
      if (length($0) > 900) $0 = substr($0, 1, 650) "..." substr($0, length($0) - 200)
      print }
    END {
      getline line <"/proc/uptime"
      split(line, part, " ")
      printf "== %s ended: %s, %.2f s, %d lines, strace exit %d\n", name, cut ? "line limit" : "done",
        part[1] - began / 100, lines, code
      exit cut ? 10 : (code == 1 && lines == 0) ? 11 : 0
    }'
}

command -v strace >/dev/null 2>&1 || { echo "== missing: strace"; exit 127; }
before=$(status)
[ -n "$before" ] || { echo "== gone: no process $pid"; exit 3; }
tracer=$(cat /proc/"$pid"/task/*/status 2>/dev/null | awk '$1 == "TracerPid:" && $2 != 0 { print $2; exit }')
[ -z "$tracer" ] || { echo "== refused: already traced by process $tracer"; exit 3; }

# -w (latency instead of CPU time) came with 4.9, by when the paths that -y asks for were printed safely too.
latency=
paths=
if strace -w -V >/dev/null 2>&1; then
  latency=-w
  paths=-y
fi
# The timeout of busybox takes whole seconds only.
fractions=yes
timeout 0.5 true 2>/dev/null || fractions=

# When the look is broken off, its processes get SIGTERM: run_strace passes that on, everything else waits for the end.
trap : TERM HUP INT

window=$((window_ms / 10))
echo "== $(strace -V 2>&1 | awk 'NR == 1 { print substr($0, 1, 60) }')"
echo "== detail: strace -f -ttt -T${paths:+ $paths} -s 64 -p $pid, up to $(decimal "$window") s or $max_lines lines"
now
began=$now_cs
run_strace "$window" -f -ttt -T $paths -s 64 | bounded detail
how=$?
now
took=$((now_cs - began))

if [ "$how" -eq 10 ]; then
  count=$took
  [ "$count" -ge 30 ] || count=30
  [ "$count" -le 100 ] || count=100
  [ "$count" -le $((window - took)) ] || count=$((window - took))
  if [ "$count" -ge 10 ]; then
    echo "== count: strace -f -c${latency:+ $latency} -p $pid, up to $(decimal "$count") s"
    run_strace "$count" -f -c $latency | bounded count
  fi
fi

after=$(status)
if [ -n "$after" ]; then
  echo "== after: state ${after%% *}, tracer ${after##* }"
else
  echo "== after: the process has ended"
fi
[ "$how" -ne 11 ] || exit 1
