# Tells who a process is: one fact per line, in words. Usage: sh identify.sh PID
#
# It is the first thing that runs on a host, so it must work with nothing but POSIX sh, awk, grep, od, tr, ls and
# readlink (BusyBox's too) and start few processes. Everything that a process can choose (its name, arguments, paths)
# goes through esc(), so that no name can begin a line of its own. It is written in parts, in identify/, and sent as one text.

LC_ALL=C
PATH=${PATH:+$PATH:}/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
pid=$1
case $pid in '' | *[!0-9]*) echo "usage: identify.sh PID" >&2; exit 2 ;; esac
p=/proc/$pid

echo 'identify 1'
if ! [ -d "$p" ]; then
  # With hidepid= on /proc a foreign process is there and yet cannot be seen; kill -0 tells the two apart.
  case $(kill -0 "$pid" 2>&1) in
    *ermitted*) echo "hidden: process $pid exists, but /proc does not show it to this user" ;;
    *) echo "gone: there is no process $pid" ;;
  esac
  exit 0
fi

. "${0%/*}/identify/words.sh"
. "${0%/*}/identify/files.sh"
. "${0%/*}/identify/relatives.sh"
. "${0%/*}/identify/groups.sh"
. "${0%/*}/identify/host.sh"

# link NAME FILE: puts where the link points into the variable NAME, newlines at its end included.
link() {
  if value=$(readlink -n "$2" 2>/dev/null && echo .); then eval "$1=\${value%.}"; else eval "$1="; return 1; fi
}

# A process whose first thread has ended shows its files only under a thread that still lives.
mm=$p
if ! link EXE "$mm/exe"; then
  for task in "$p"/task/*; do
    if link EXE "$task/exe"; then mm=$task; break; fi
  done
fi
link CWD "$mm/cwd"
link ROOT "$mm/root"
DELETED=no
case $EXE in *' (deleted)') [ "$EXE" -ef "$mm/exe" ] || { DELETED=yes; EXE=${EXE%' (deleted)'}; } ;; esac
FDS=
if [ -r "$mm/fd" ]; then
  set -- "$mm"/fd/*
  if [ -e "$1" ] || [ -L "$1" ]; then FDS=$#; else FDS=0; fi
fi
export EXE CWD ROOT DELETED FDS

. "${0%/*}/identify/facts.sh"
. "${0%/*}/identify/elf.sh"
. "${0%/*}/identify/runtime.sh"
. "${0%/*}/identify/tools.sh"
echo 'end'
