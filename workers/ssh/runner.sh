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

# now := hundredths of a second since boot (proc(5), /proc/uptime)
sb_now() {
  read -r now _ </proc/uptime
  now=${now%.*}${now#*.}
}

# sb_stat PID: state := letter, group := field 5, start := field 22 of /proc/PID/stat. Fails when there is no such process. The command's
# name stands in parentheses and may hold any byte; what follows the last parenthesis is letters and numbers.
sb_stat() {
  stat= line=
  { while IFS= read -r line; do stat="$stat$line "; done; } 2>/dev/null <"/proc/$1/stat" || return 1
  stat=${stat##*') '}
  set -- $stat
  [ $# -ge 20 ] || return 1
  state=$1 group=$3
  shift 19
  start=$1
}

# sb_status PID: tracer := the process that traces it, 0 for none; uid := its effective user id
sb_status() {
  tracer=0 uid=
  {
    while read -r key value more _; do
      case $key in
        TracerPid:) tracer=$value ;;
        Uid:) uid=$more ;;
      esac
    done
  } 2>/dev/null <"/proc/$1/status"
}

sb_nap() { sleep 0.05 2>/dev/null || sleep 1; }

# Whether a thread of PID has SIGSTOP pending (bit 18 of SigPnd or ShdPnd in /proc/PID/task/TID/status).
sb_stop_pending() {
  set +f
  grep -q -i '^S[ih][gd]Pnd:.*[4567cdef]....$' /proc/"$1"/task/*/status 2>/dev/null
  pending=$?
  set -f
  return $pending
}

# sb_continue PID HOW: a debugger that was killed can leave a SIGSTOP behind. If the target ran before the look, and is
# stopped now with nobody tracing it, it goes on. HOW is `killed` when a tool did not end by itself: then the kernel may
# still be taking it off the target, and the stop may still be on its way.
sb_continue() {
  was= born= tries=0
  { read -r was born; } 2>/dev/null <"$D/target.$1" || return 0
  case $was in T | t) return 0 ;; esac
  while sb_stat "$1" && [ "$start" = "$born" ]; do
    sb_status "$1"
    if [ "$tracer" = 0 ]; then
      if [ "$state" = T ] || { [ "$2" = killed ] && sb_stop_pending "$1"; }; then
        kill -CONT "$1" 2>/dev/null
        return 0
      fi
      [ $tries -lt 2 ] || return 0
    fi
    tries=$((tries + 1))
    [ "$2" = killed ] && [ $tries -lt 40 ] || return 0
    sb_nap
  done
}

# sb_kill SIGNAL PID: GNU timeout leads the group of its step, hands TERM on to it and follows with KILL; otherwise the
# whole group is told. KILL always goes to the group: nobody could hand it on.
sb_kill() {
  if [ "$1" = KILL ] || [ -n "$G" ]; then
    kill "-$1" "-$2" || kill "-$1" "$2"
  else
    kill "-$1" "$2"
  fi
} 2>/dev/null

# sb_kill_running [SIGNAL]: ends every tool that runs, each with its own signal unless one is given.
sb_kill_running() {
  set +f
  for file in "$D"/*.pid; do
    set -f
    p=
    { read -r p sig; } 2>/dev/null <"$file"
    [ -z "$p" ] || sb_kill "${1:-$sig}" "$p"
  done
  set -f
}

# Whether a step has not been reported yet.
sb_any_live() {
  set +f
  for file in "$D"/*.live; do
    set -f
    [ ! -s "$file" ] || return 0
  done
  set -f
  return 1
}

# sb_cap FILE BYTES: keeps the first BYTES of standard input in FILE, drains the rest, and says in FILE.size how many bytes
# were kept and how many were not. How far a descriptor has come is in /proc/PID/fdinfo/FD (proc(5)); asking there costs no
# process. A head that reads ahead (busybox) leaves too little to count, so there a full FILE counts as cut.
sb_cap() {
  exec 5>"$1"
  kept= rest=0
  if head -c "$2" >&5; then read -r _ kept </proc/self/fdinfo/5; fi
  if [ -z "$kept" ] || [ "$kept" -ge "$2" ]; then
    rest=$(wc -c)
    kept=$(wc -c <"$1")
    [ -z "$H" ] || [ "$kept" -lt "$2" ] || rest=$((rest + 1))
  fi
  echo $kept $rest >"$1.size"
}

# sb_step Q SECONDS SIGNAL STDOUT-BYTES STDERR-BYTES PTRACES PID START ARGV...: one step, in a shell of its own.
# Its descriptors: 3 and 4 to where the tool's output is kept, 8 the turn, 9 the reports.
sb_step() {
  q=$1 limit=$2 sig=$3 obytes=$4 ebytes=$5 ptraces=$6 pid=$7 born=$8
  shift 8
  # Who ptraces waits for its turn. The token is one newline, so two readers cannot share it.
  [ "$ptraces" = 0 ] || read -r _ <&8
  {
    {
      if [ -e "$D/ending" ] || [ -e "$D/$q.cancelled" ]; then
        echo 'exited 143 0' >"$D/$q.end"
      elif [ "$pid" != 0 ] && ! { sb_stat "$pid" && [ "$start" = "$born" ]; }; then
        echo 'target-gone 0 0' >"$D/$q.end"
      else
        sb_now
        began=$now
        $G timeout -k 2 -s "$sig" "$limit" "$@" </dev/null >&3 2>&4 3>&- 4>&- 8>&- 9>&- &
        p=$!
        echo "$p $sig" >"$D/$q.pid"
        # Who wanted it ended before that line was there found nobody to tell.
        if [ -e "$D/ending" ] || [ -e "$D/$q.cancelled" ]; then sb_kill "$sig" "$p"; fi
        wait "$p"
        code=$?
        sb_now
        : >"$D/$q.pid"
        # What the tool left behind in its group would keep the pipes open.
        kill -KILL "-$p"
        echo "exited $code $(((now - began) * 10))" >"$D/$q.end"
      fi
    } 4>&1 >/dev/null 2>&1 | {
      exec 3>&- 8>&- 9>&-
      sb_cap "$D/$q.err" "$ebytes"
    }
  } 3>&1 | {
    exec 8>&- 9>&-
    sb_cap "$D/$q.out" "$obytes"
  }
  if [ "$ptraces" != 0 ]; then
    if [ "$pid" != 0 ]; then
      read -r _ code _ <"$D/$q.end"
      if [ "$code" = 124 ] || [ "$code" -ge 128 ]; then
        echo killed >"$D/ptraced.$pid"
        sb_continue "$pid" killed
      else
        sb_continue "$pid" ended
      fi
    fi
    echo >&8
  fi
  echo "$q" >&9
}

# The one writer of frames; reads the numbers of steps that are done. Its input ends when the shell and all steps have
# ended, in whatever way, so it is also the one that clears up. No signal that comes with the end of a session stops it:
# such a signal may have ended the shells of steps whose tools still run.
sb_emit() {
  trap '' PIPE HUP INT TERM
  while read -r q; do
    how=exited code=125 ms=0 osize=0 orest=0 esize=0 erest=0
    read -r how code ms <"$D/$q.end"
    read -r osize orest <"$D/$q.out.size"
    read -r esize erest <"$D/$q.err.size"
    printf '\n%s step %s %s %s %s %s %s %s %s\n' "$N" "$q" "$how" "$code" "$ms" "$osize" "$orest" "$esize" "$erest"
    if [ "$osize$esize" != 00 ]; then
      cat "$D/$q.out" "$D/$q.err"
      : >"$D/$q.out"
      : >"$D/$q.err"
    fi
    : >"$D/$q.live"
  done
  all=
  if sb_any_live; then
    all=killed
    sb_kill_running KILL
  fi
  set +f
  for file in "$D"/ptraced.*; do
    set -f
    how=$all
    [ ! -s "$file" ] || how=killed
    sb_continue "${file##*.}" "$how"
  done
  cd / && rm -rf "$D"
}

# sb_put FOLDER/FILE TEXT: a script that steps use.
sb_put() {
  [ -d "$D/${1%%/*}" ] || mkdir "$D/${1%%/*}"
  printf %s "$2" >"$D/$1"
}

# sb_run: starts a step; arguments as for sb_step. What its target is before the look touches it is written down.
sb_run() {
  if [ "$7" != 0 ]; then
    born=
    { read -r _ born; } 2>/dev/null <"$D/target.$7"
    if [ "$born" != "$8" ] && sb_stat "$7" && [ "$start" = "$8" ]; then echo "$state $start" >"$D/target.$7"; fi
    [ "$6" = 0 ] || [ -e "$D/ptraced.$7" ] || : >"$D/ptraced.$7"
  fi
  jobs >/dev/null 2>&1 # reaps the steps that are done
  echo live >"$D/$1.live"
  (
    exec </dev/null >/dev/null 2>&1
    sb_step "$@"
  ) &
}

# sb_end Q: ends a step before its time.
sb_end() {
  : >"$D/$1.cancelled"
  p=
  { read -r p sig; } 2>/dev/null <"$D/$1.pid"
  if [ -n "$p" ]; then
    sb_kill "$sig" "$p"
    (
      exec </dev/null >/dev/null 2>&1 8>&- 9>&-
      sleep 2
      [ ! -s "$D/$1.pid" ] || sb_kill KILL "$p"
    ) &
  fi
}

# No line follows: what runs is still answered, and then all is cleared up. So the last answers and the clearing up are waited
# for once.
sb_leave() { L=leaving; }

# Standard input has ended: ends all steps, politely where that is right, and waits until all is cleared up.
sb_exit() {
  trap '' HUP INT TERM
  exec >/dev/null 2>&1
  tries=0
  # Some five seconds: the last steps are short, and nobody may be there any more to hear of them.
  while [ -n "$L" ] && [ $tries -lt 100 ] && sb_any_live; do
    tries=$((tries + 1))
    sb_nap
  done
  : >"$D/ending"
  tries=0
  if sb_any_live; then tries=1; fi
  sb_kill_running
  exec 8>&- 9>&-
  while [ $tries -gt 0 ] && [ $tries -lt 100 ] && [ -d "$D" ]; do
    # A look that was cancelled is to leave nothing behind after two seconds.
    [ $tries != 20 ] || sb_kill_running KILL
    tries=$((tries + 1))
    sb_nap
  done
  # Only something that left its process group and keeps a pipe open can have come this far.
  [ $tries -lt 100 ] || kill -KILL "$E"
  wait "$E"
  cd / && rm -rf "$D"
}

sb_start() {
  [ -r /proc/self/stat ] && [ -r /proc/uptime ] || sb_refuse no-proc
  for tool in timeout head wc cat grep sleep mkdir mkfifo rm; do
    command -v "$tool" >/dev/null 2>&1 || sb_refuse missing "$tool"
  done
  case $(printf abc | { head -c 2 && wc -c; }) in
    ab*1) H= ;;
    ab*0) H=ahead ;;
    *) sb_refuse missing 'head -c' ;;
  esac

  # GNU timeout makes a process group for what it runs, busybox's does not and needs setsid for it.
  G=
  theirs=$(timeout -k 2 -s TERM 9 sh -c 'read -r s </proc/$$/stat; s=${s##*") "}; set -- $s; echo $3' 2>/dev/null </dev/null)
  [ -n "$theirs" ] || sb_refuse missing 'timeout -k'
  sb_stat $$
  if [ "$theirs" = "$group" ]; then
    command -v setsid >/dev/null 2>&1 || sb_refuse missing setsid
    G=setsid
  fi

  for base in $B /dev/shm /tmp "${TMPDIR:-/var/tmp}"; do
    case $base in *[!A-Za-z0-9_./-]* | [!/]*) continue ;; esac
    D=$base/straceback.$N
    # mkdir fails on whatever is already there, so nobody can have prepared it.
    mkdir -m 700 "$D" 2>/dev/null || continue
    if echo test 2>/dev/null >"$D/test" && [ -s "$D/test" ]; then break; fi
    rm -rf "$D"
  done
  [ -s "$D/test" ] || sb_refuse no-temp
  cd "$D" && mkfifo finished turn || sb_refuse no-temp

  # 9 is open for both directions so that neither side waits for the other.
  exec 9<>"$D/finished" 7<"$D/finished" 8<>"$D/turn"
  echo >&8
  (
    exec <&7 7<&- 8>&- 9>&- 2>/dev/null
    sb_emit
  ) &
  E=$!
  exec 7<&-
  trap sb_exit 0
  L= F= first=
  if [ -n "$T" ]; then
    F=gone
    sb_now
    # Both are hundredths of a second since boot: USER_HZ is 100 wherever this runs.
    if sb_stat "$T" && [ "$start" -le $((now - A)) ]; then F=$start; fi
    first=" first $F"
  fi
  sb_status $$
  printf '\n%s ready 1 %s %s%s%s\n' "$N" "$uid" "$D" "$W" "$first"
}

sb_start
