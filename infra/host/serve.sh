# serve.sh KIT: what an account may ask of an installed runner. It reads lines:
#
#   N=NONCE W= B=                                   first; the nonce is 32 hex digits
#   ...                                             skipped: the runner that hosts without this one are sent
#   sb_early VERSION PID AGE                        may be among them: steps follow at once, made for this VERSION, with `?` as
#                                                   START, which is found here if PID has run for AGE hundredths of a second
#   sb_start
#   run Q TEMPLATE SECONDS BYTES PID START WORDS    then WORDS lines `=TEXT`: the numbers and texts of the template
#   sb_end Q                                        ends step Q
#   sb_leave                                        nothing follows: what runs is answered, then all is cleared up
#
# Nothing that was read is ever part of a script or of a command's name. steps.sh has the templates, core.sh is the runner
# itself: steps, frames, the care for targets and the clearing up are the same on all hosts. Names here begin with a_,
# those of core.sh do not.

KIT=$1
SCRIPTS=$KIT/scripts
RUN=/run/straceback
MOST_SESSIONS=32
MOST_STEPS=400
MOST_AT_ONCE=60
MOST_PROCESSES=12
# Bytes that the answers of steps at once may take: they lie in memory until they are taken.
MOST_BYTES=100663296

umask 077
set -f
cd / || exit 1
ulimit -c 0
# In KiB; limit.sh gives the tools more.
ulimit -S -v 262144

a_no() {
  echo "straceback: $1" >&2
  exit 64
}

# a_number TEXT DIGITS MIN MAX: a whole decimal number without leading zeros
a_number() {
  case $1 in '' | *[!0-9]* | 0?*) return 1 ;; esac
  [ ${#1} -le "$2" ] && [ "$1" -ge "$3" ] && [ "$1" -le "$4" ]
}

mkdir -m 700 "$RUN" 2>/dev/null
[ -d "$RUN" ] && [ ! -L "$RUN" ] && [ -O "$RUN" ] || a_no "$RUN is no folder of root's"

. "$KIT/core.sh"
PATH=/usr/sbin:/usr/bin:/sbin:/bin
. "${KIT%/*}/settings"
. "$KIT/steps.sh"

# --- sessions, and who looks at what: session.PID `START FOLDER EMITTER EMITTER-START`, look.PID `SESSION` ---

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

# --- what may be asked ---

# What this session itself runs in: to stop one of them is to stop the look.
a_above=" $$"
a_at=$$
while [ "$a_at" -gt 1 ]; do
  a_parent=0
  while read -r a_key a_value _; do [ "$a_key" != PPid: ] || a_parent=$a_value; done <"/proc/$a_at/status"
  a_at=$a_parent
  a_above="$a_above $a_at"
done
a_above="$a_above "

# Whether nobody but root could put another program at a path without links, or change what it loads.
a_of_root() {
  a_at=$1
  set -- "${1%/bin/*}/lib"
  [ -e "$1" ] || set --
  while [ -n "$a_at" ]; do
    set -- "$@" "$a_at"
    a_at=${a_at%/*}
  done
  [ -z "$(find "$@" / -maxdepth 0 ! -type l \( ! -user root -o -perm -020 -o -perm -002 \) 2>&1)" ]
}

a_python=
for a_file in /usr/bin/python3 /usr/libexec/platform-python /usr/local/bin/python3; do
  [ -x "$a_file" ] || continue
  a_real=$(readlink -f "$a_file")
  case ${a_real##*/} in
    python3.[6-9] | python3.[1-9][0-9] | platform-python3.[6-9] | platform-python3.[1-9][0-9]) a_of_root "$a_real" && a_of_root "${a_file%/*}" || continue ;;
    *) continue ;;
  esac
  a_python=$a_real
  break
done

# a_tool NAME: where it is, or `-`
a_tool() { command -v "$1" || echo -; }

# number TEXT MIN MAX, by its whole part
number() {
  case $1 in '' | *[!0-9.]* | *.*.* | .* | *.) return 1 ;; esac
  [ ${#1} -le 28 ] && [ ${#1} -gt 0 ] || return 1
  a_whole=${1%%.*}
  [ ${#a_whole} -le 7 ] && [ "$a_whole" -ge "$2" ] && [ "$a_whole" -le "$3" ]
}

# text TEXT MOST
text() {
  case $1 in *[[:cntrl:]]*) return 1 ;; esac
  [ ${#1} -le "$2" ]
}

# allow NAME IMPACTS GUARD SECONDS BYTES SIGNAL PTRACES FOLLOWS-PID: whether this host runs it now; a_why says why not.
allow() {
  a_why="$1 cannot be asked for like this"
  for a_impact in $2; do
    case " $ALLOW " in
      *" $a_impact "*) ;;
      *) a_why="this host does not allow $1 (impact $a_impact)"; return 1 ;;
    esac
  done
  [ "$a_seconds" -le "$4" ] && [ "$a_bytes" -le "$5" ] || return 1
  a_signal=$6 a_ptraces=$7
  [ "$8" = 0 ] || [ "$a_pid" != 0 ] || return 1
  case $3 in
    always) [ "$a_start" != 0 ] && [ "$a_pid" != 0 ] || return 1 ;;
    never) [ "$a_start" = 0 ] || return 1 ;;
  esac
  if [ "$2" != none ] || [ "$7" = 1 ]; then
    [ "$a_pid" != 1 ] || { a_why='the first process of a host is not touched'; return 1; }
    case $a_above in *" $a_pid "*) a_why="process $a_pid is what this look runs in"; return 1 ;; esac
    [ -n "$(readlink "/proc/$a_pid/exe" 2>/dev/null)" ] || { a_why="process $a_pid runs no program"; return 1; }
  fi
  # A look begins with who the process is, and then knows its start time.
  if [ "$a_start" != 0 ] || [ "$1" = identify ]; then a_take "$a_pid" || return 1; fi
  a_blocks=131072
  case " $2 " in *' writes-disk '*) a_blocks=unlimited ;; esac
}

python() {
  [ -n "$a_python" ] || a_why='this host has no Python 3.6 or newer that belongs to it'
  [ -n "$a_python" ]
}

# go ARGV...
go() {
  a_target=$a_pid
  [ "$a_start" != 0 ] || a_target=0
  a_ebytes=$a_bytes
  [ "$a_ebytes" -le 262144 ] || a_ebytes=262144
  sb_run "$a_q" "$a_seconds" "$a_signal" "$a_bytes" "$a_ebytes" "$a_ptraces" "$a_target" "$a_start" \
    /bin/sh "$KIT/limit.sh" "$a_blocks" "$@"
}

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

# Counted before it is listened to: one that says nothing is one too. One at a time, or all would find room.
command -v flock >/dev/null 2>&1 || a_no 'the command flock is missing'
sb_stat $$
a_own=$start
exec 5>"$RUN/counting"
flock 5
a_sessions
a_full=
if [ $a_count -lt $MOST_SESSIONS ]; then echo "$a_own" >"$RUN/session.$$"; else a_full=yes; fi
exec 5>&-

# A session may send this much and no more, which also bounds a line that never ends: a shell reads lines whole.
rm -f "$RUN/in.$$"
mkfifo "$RUN/in.$$" || a_no "$RUN cannot be written"
exec 3<&0
dd bs=1024 count=2000 <&3 3<&- >"$RUN/in.$$" 2>/dev/null &
a_feeder=$!
exec <"$RUN/in.$$" 3<&-
rm -f "$RUN/in.$$"
trap 'rm -f "$RUN/session.$$"; kill $a_feeder 2>/dev/null' 0
# Before the descriptors of steps are there: what holds them keeps the session from ending.
a_watch &
a_watcher=$!
trap 'rm -f "$RUN/session.$$"; kill $a_feeder $a_watcher 2>/dev/null' 0

IFS= read -r a_line || exit 0
case $a_line in N=*' W= B=') ;; *) a_no "this account only answers Straceback's own worker" ;; esac
N=${a_line#N=}
N=${N%' W= B='}
case $N in *[!0-9a-f]*) a_no 'this is no nonce' ;; esac
[ ${#N} = 32 ] || a_no 'this is no nonce'
a_left=1000
a_early=
while IFS= read -r a_line && [ "$a_line" != sb_start ]; do
  case $a_line in 'sb_early '*) a_early=${a_line#sb_early } ;; esac
  a_left=$((a_left - 1))
  [ $a_left -gt 0 ] || a_no 'the first request does not come'
done
[ "$a_line" = sb_start ] || exit 0

[ -z "$a_full" ] || sb_refuse busy
for a_file in timeout readlink; do
  command -v $a_file >/dev/null 2>&1 || sb_refuse missing $a_file
done
T=
[ -z "$a_early" ] || a_first
W=" installed $VERSION $(echo $ALLOW | tr ' ' ,)"
B=$RUN
sb_start
trap a_exit 0
sb_stat "$E"
a_sign="$a_own $D $E $start"
echo "$a_sign" >"$RUN/session.$$"

a_next=1
while IFS= read -r a_line; do
  echo "$a_sign" >"$RUN/session.$$"
  case $a_line in
    'run '*) [ ${#a_line} -le 100 ] || a_bad 'a request is too long'; a_run "${a_line#run }" ;;
    sb_leave) sb_leave ;;
    'sb_end '*) a_number "${a_line#sb_end }" 4 1 $MOST_STEPS || a_bad 'this is no step'; sb_end "${a_line#sb_end }" ;;
    *) a_bad 'this is no request' ;;
  esac
done
