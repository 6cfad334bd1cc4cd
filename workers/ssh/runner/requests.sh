# Part of runner.sh: what may be asked for by the lines that follow the runner.

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
