# Part of serve.sh: sessions, and who looks at what. Only one look at a process runs on a host, whoever asks for it, and what a
# session has left that was killed is removed by the next one. session.PID `START FOLDER EMITTER EMITTER-START`,
# look.PID `SESSION`.

# Whether a process runs that started then; one that only waits to be reaped does not.
a_runs() { sb_stat "$1" && [ "$start" = "$2" ] && [ "$state" != Z ]; }

# Whether the shell of a session, or what clears up after it, is there.
a_alive() {
  a_born= a_folder= a_emitter= a_emitter_born=
  { read -r a_born a_folder a_emitter a_emitter_born; } 2>/dev/null <"$RUN/session.$1"
  [ -n "$a_born" ] || return 1
  a_runs "$1" "$a_born" || { [ -n "$a_emitter" ] && a_runs "$a_emitter" "$a_emitter_born"; }
}

# Counts the sessions, and removes what those have left that were killed.
a_sessions() {
  a_count=0 a_dead=
  set +f
  for a_file in "$RUN"/session.*; do
    set -f
    a_other=${a_file##*.}
    [ -e "$a_file" ] || continue
    if a_alive "$a_other"; then
      a_count=$((a_count + 1))
    else
      case $a_folder in "$RUN"/straceback.*) rm -rf "$a_folder" ;; esac
      rm -f "$a_file"
      a_dead=yes
    fi
  done
  [ -z "$a_dead" ] || a_unlook
  set -f
}

# Frees the processes whose look has ended without clearing up.
a_unlook() {
  exec 6>"$RUN/lock"
  flock 6
  set +f
  for a_file in "$RUN"/look.*; do
    set -f
    a_holder=
    { read -r a_holder; } 2>/dev/null <"$a_file"
    [ -z "$a_holder" ] || a_alive "$a_holder" || rm -f "$a_file"
  done
  exec 6>&-
}

# a_take PID: this session has the look at a process, or gets it; only one has.
a_mine=
a_held=0
a_take() {
  case " $a_mine " in *" $1 "*) return ;; esac
  [ $a_held -lt $MOST_PROCESSES ] || { a_why="one session looks at no more than $MOST_PROCESSES processes"; return 1; }
  exec 6>"$RUN/lock"
  flock 6
  a_holder=
  { read -r a_holder; } 2>/dev/null <"$RUN/look.$1"
  if [ -n "$a_holder" ] && [ "$a_holder" != $$ ] && a_alive "$a_holder"; then
    exec 6>&-
    a_why="another look at process $1 is running on this host; ask again when it is done"
    return 1
  fi
  echo $$ >"$RUN/look.$1"
  exec 6>&-
  a_mine="$a_mine $1"
  a_held=$((a_held + 1))
}
