# Part of runner.sh: how a session begins, with what must be on a host for any step at all, and how it ends.

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
