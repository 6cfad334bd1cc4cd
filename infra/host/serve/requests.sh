# Part of serve.sh: how requests are read. Whoever sends what no worker would is not listened to any longer; what a worker may
# ask for, but not here or not now, is refused with a reason.

# Steps that come before `ready` was heard: only if this is the version for which they were numbered.
a_first() {
  set -- $a_early
  [ $# = 3 ] && a_number "$2" 7 1 9999999 && a_number "$3" 10 0 9999999999 || a_no 'this is no first request'
  [ "$1" = "$VERSION" ] || sb_refuse version
  T=$2 A=$3
}

# Answers a step that is not run: status 126, and the reason as its error output.
a_refuse() {
  a_most=$a_bytes
  [ "$a_most" -le 400 ] || a_most=400
  printf "%.${a_most}s" "straceback: $1" >"$D/$a_q.err"
  : >"$D/$a_q.out"
  echo 0 0 >"$D/$a_q.out.size"
  echo $(($(wc -c <"$D/$a_q.err"))) 0 >"$D/$a_q.err.size"
  echo 'exited 126 0' >"$D/$a_q.end"
  echo live >"$D/$a_q.live"
  echo "$a_q" >&9
}

# Whoever sends what no worker would is told, and not listened to any longer.
a_bad() {
  printf '\n%s refused bad-request\n' "$N"
  echo "straceback: $1" >&2
  exit 64
}

a_live() {
  a_count=0 a_all=0
  set +f
  for a_file in "$D"/*.live; do
    set -f
    [ -s "$a_file" ] || continue
    a_count=$((a_count + 1))
    a_size=0
    read -r a_size 2>/dev/null <"${a_file%.live}.asked"
    a_all=$((a_all + a_size))
  done
  set -f
}

a_run() {
  case $1 in *[!0-9\ ?]*) a_bad 'a request holds something that is no number' ;; esac
  set -- $1
  [ $# = 7 ] || a_bad 'a request has seven numbers'
  a_number "$1" 4 1 $MOST_STEPS && a_number "$2" 4 0 9999 && a_number "$3" 5 1 86400 && a_number "$4" 9 1 999999999 &&
    a_number "$5" 7 0 9999999 && a_number "$7" 2 0 40 || a_bad 'a number of a request is out of its range'
  a_start=$6
  case $6 in
    '?') [ "$5" = "$T" ] && a_start=$F || a_bad 'this process was not asked for at first' ;;
    *[!0-9]* | 0?*) a_bad 'this is no start time' ;;
  esac
  [ ${#6} -le 20 ] || a_bad 'this is no start time'
  a_q=$1 a_template=$2 a_seconds=$3 a_bytes=$4 a_pid=$5 a_words=$7
  [ "$a_q" = "$a_next" ] || a_bad 'requests are numbered one after another'
  a_next=$((a_next + 1))
  set --
  while [ "$a_words" -gt 0 ]; do
    IFS= read -r a_word || exit 0
    case $a_word in =*) ;; *) a_bad 'a text of a request is missing' ;; esac
    [ ${#a_word} -le 5000 ] || a_bad 'a text of a request is too long'
    set -- "$@" "${a_word#=}"
    a_words=$((a_words - 1))
  done
  [ "$a_start" != gone ] || { a_refuse 'there is no such process, or it is too young'; return; }
  a_live
  [ $a_count -lt $MOST_AT_ONCE ] || { a_refuse 'too many steps at once'; return; }
  [ $((a_all + a_bytes)) -le $MOST_BYTES ] || { a_refuse 'too much is asked for at once'; return; }
  echo "$a_bytes" >"$D/$a_q.asked"
  a_why='no such step'
  template "$a_template" "$@" || a_refuse "$a_why"
}
