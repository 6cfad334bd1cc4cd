# Part of serve.sh: how a session ends that cannot or does not end itself, so that nobody keeps a process from others for ever.

# Whether a step runs or waits for its turn. One whose answer nobody takes does neither.
a_works() {
  set +f
  for a_file in "$D"/*.live; do
    set -f
    [ -s "$a_file" ] && [ ! -e "${a_file%.live}.end" ] && return 0
  done
  set -f
  return 1
}

# Ends, with all its shells, a session that cannot end itself because nobody takes what it says.
a_last() {
  a_tries=0 D= E=
  { read -r _ D E a_emitter_born; } 2>/dev/null <"$RUN/session.$$"
  while [ $a_tries -lt 20 ] && { { [ -n "$D" ] && [ -d "$D" ]; } || { [ -z "$1" ] && a_runs $$ "$a_own"; }; }; do
    a_tries=$((a_tries + 1))
    sleep 1
  done
  if [ $a_tries = 20 ]; then
    [ -z "$E" ] || ! a_runs "$E" "$a_emitter_born" || kill -KILL "$E"
    ! a_runs $$ "$a_own" || kill -KILL $$
  fi
  exit 0
}

# Ends a session that runs nothing and is asked for nothing: a worker that went without a word would keep its process from
# others. The file of the session is written anew with each request. So does one that is refused and stays.
a_watch() {
  exec </dev/null >/dev/null 2>&1
  trap 'kill $a_nap; a_last told' TERM
  a_naps=0
  while :; do
    sleep 5 &
    a_nap=$!
    wait $a_nap
    a_runs $$ "$a_own" || a_last
    a_naps=$((a_naps + 1))
    if [ -n "$a_full" ]; then
      [ $a_naps -ge 6 ] || continue
    else
      [ -n "$(find "$RUN/session.$$" -mmin +10)" ] || continue
    fi
    D=
    read -r _ D _ <"$RUN/session.$$"
    # The end of what it reads is the end of a session.
    a_works || { kill $a_feeder; a_last; }
  done
}

a_exit() {
  kill $a_feeder $a_watcher 2>/dev/null
  sb_exit
  for a_pid in $a_mine; do rm -f "$RUN/look.$a_pid"; done
  rm -f "$RUN/session.$$"
}
