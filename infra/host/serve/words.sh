# Part of serve.sh: the words that steps.sh is made of. They hold each number and text of a request against what its template
# takes, and the template against what this host allows.

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
