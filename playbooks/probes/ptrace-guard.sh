# Sourced by scripts that have a tool stop the process $pid: what must hold before, and what must be so again afterwards.
LC_ALL=C
PATH=$PATH:/usr/bin:/bin:/usr/sbin:/sbin
# Symbols are looked for on this host only.
DEBUGINFOD_URLS=
export LC_ALL PATH DEBUGINFOD_URLS
# gdb's Python looks for its modules in the current folder first.
cd / || exit 1

# "$limit SECONDS COMMAND..." ends it by SIGKILL, after which the kernel lets the process go on. In the foreground, so that
# what ends this script's group ends it too; busybox's timeout always is.
limit='timeout -s KILL'
! timeout --foreground 1 true 2>/dev/null || limit='timeout --foreground -s KILL'

# "STATE TRACER" of the process; empty when it is gone.
status() {
  awk '$1 == "State:" { s = $2 } $1 == "TracerPid:" { t = $2 } END { if (s != "") print s, t }' \
    "/proc/$pid/status" 2>/dev/null
}

# Ends the script, with a line that says why, unless the process is there, readable and traced by nobody. Sets $before,
# and $root: empty, or the prefix under which this host sees the files that the process sees.
guard() {
  before=$(status)
  [ -n "$before" ] || { echo "== gone: no process $pid"; exit 3; }
  tracer=$(cat /proc/"$pid"/task/*/status 2>/dev/null | awk '$1 == "TracerPid:" && $2 != 0 { print $2; exit }')
  [ -z "$tracer" ] || { echo "== refused: already traced by process $tracer"; exit 3; }
  [ -e "/proc/$pid/root/" ] || {
    [ -n "$(status)" ] || { echo "== gone: no process $pid"; exit 3; }
    echo "== denied: /proc/$pid/root"
    exit 4
  }
  root=
  exe=$(readlink "/proc/$pid/exe" 2>/dev/null)
  [ "/proc/$pid/root/" -ef / ] || root=/proc/$pid/root
  case $exe in
    *' (deleted)') ;;
    *) [ "/proc/$pid/exe" -ef "$exe" ] || root=/proc/$pid/root ;;
  esac
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

# The script's last line.
report_after() {
  after=$(status)
  if [ -n "$after" ]; then
    echo "== after: state ${after%% *}, tracer ${after##* }"
  else
    echo "== after: the process has ended"
  fi
}
