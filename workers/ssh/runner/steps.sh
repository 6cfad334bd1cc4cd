# Part of runner.sh: one step, bounded in time and output, and how it is ended before its time. All that a tool may do is in
# here: nothing that it prints, leaves behind or ignores keeps the others waiting.

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
