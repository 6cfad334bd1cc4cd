# Part of runner.sh: what is known of the processes of the host, and that a target which ran before the look goes on after it.
# A target that is left stopped is the worst that a look can do, so this is asked after every step that may have stopped it.

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
