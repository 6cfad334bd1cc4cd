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
#
# What a session is, how it ends, what the host has, what requests may be and how they are read stands in serve/; the kit has all
# of it in one file.

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

. "${0%/*}/serve/sessions.sh"
. "${0%/*}/serve/ending.sh"
. "${0%/*}/serve/host.sh"
. "${0%/*}/serve/words.sh"
. "${0%/*}/serve/requests.sh"

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
