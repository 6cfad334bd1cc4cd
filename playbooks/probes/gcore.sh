#!/bin/sh
# Writes a core of the process into a folder that only this user can read, then reads its stacks from the file:
#   gcore.sh PID START-TIME FOLDER HOURS SECONDS GUARD GDB-SCRIPT
#
# HOURS is how long cores are kept: each run removes those that are older. SECONDS bounds the stop. Nothing is written
# unless there is room for everything that gdb may write, which can be far more than the resident memory: it writes
# untouched pages too. Lines that begin with "== " are this script's and the gdb script's.
pid=$1
start=$2
keep=$3
hours=$4
seconds=$5
script=$7
case $# in 7) ;; *) echo "usage: gcore.sh PID START-TIME FOLDER HOURS SECONDS GUARD GDB-SCRIPT" >&2; exit 64 ;; esac
case $1$2$4$5 in *[!0-9]*) echo "gcore.sh: PID, START-TIME, HOURS and SECONDS are numbers" >&2; exit 64 ;; esac
case $3 in /*) ;; *) echo "gcore.sh: FOLDER is absolute" >&2; exit 64 ;; esac
. "$6"
guard
command -v gdb >/dev/null 2>&1 || { echo "== missing: gdb"; exit 127; }
umask 077

refuse() {
  echo "== refused: $1"
  exit 5
}

# --- a folder of our own, below folders that nobody else can change ---

# others_can_write FOLDER: true when someone besides root and this user could replace what is in it.
others_can_write() {
  ls -ldn "$1" 2>/dev/null | awk -v me="$(id -u)" '
    { shared = substr($1, 6, 1) == "w" || substr($1, 9, 1) == "w"; sticky = substr($1, 10, 1) ~ /[tT]/
      exit ($3 != 0 && $3 != me) || (shared && !sticky) ? 0 : 1 }
    END { if (NR == 0) exit 0 }'
}
mkdir -p "$keep" 2>/dev/null
keep=$(cd -P "$keep" 2>/dev/null && pwd) || refuse "the folder for cores cannot be made: $3"
above=$keep
while :; do
  others_can_write "$above" && refuse "others can write to $above, where cores would be kept"
  [ "$above" != / ] || break
  above=${above%/*}
  above=${above:-/}
done
folder=${keep%/}/cores
mkdir "$folder" 2>/dev/null
[ -d "$folder" ] && [ ! -L "$folder" ] && [ -O "$folder" ] || refuse "$folder is not a folder of this user"
chmod 700 "$folder" && cd "$folder" || refuse "$folder cannot be used"

# Cores that are out of date, and what earlier runs on this process left unfinished.
find . -type f -name 'core.[0-9]*' -mmin "+$((hours * 60))" -exec rm -f {} +
rm -f "core.$pid."*.partial

# --- room on the disk ---

# KiB that gdb may write, and KiB of shared memory that the process has not touched and would own after gdb read it.
estimate=$(awk '
  /^[0-9a-f]+-[0-9a-f]+ / {
    perms = $2; path = $6
    shared = substr(perms, 4, 1) == "s"
    anonymous = path == "" || path ~ /^\[/ || path ~ /^\/(dev\/zero|SYSV|memfd:)/ || $NF == "(deleted)"
    next
  }
  $1 == "Size:" { size = $2 }
  $1 == "Rss:" { rss = $2 }
  $1 == "Anonymous:" {
    if (path != "[vsyscall]" && path != "[vvar]" && (anonymous || $2 > 0)) total += size
    if (shared && anonymous) holes += size - rss
  }
  END { printf "%d %d", total, holes }' "/proc/$pid/smaps" 2>/dev/null)
resident=$(awk '$1 == "VmRSS:" || $1 == "VmSwap:" { kib += $2 } END { printf "%d", kib }' "/proc/$pid/status" 2>/dev/null)
content=${estimate%% *}
holes=${estimate##* }
[ "${content:-0}" -ge "${resident:-0}" ] || content=$resident
filter=
if [ "${holes:-0}" -gt 16384 ]; then
  # Reading untouched shared memory makes the process own it: left out of the core. Bit 1: core(5).
  filter=$(cat "/proc/$pid/coredump_filter" 2>/dev/null)
  case $filter in '' | *[!0-9a-f]*) filter= ;; *) content=$((content - holes)) ;; esac
fi
margin=$((content / 10 + 262144))
available() {
  df -Pk . 2>/dev/null | awk 'NR > 1 && match($0, / [0-9]+ +[0-9]+ +[0-9]+ +[0-9]+% /) { split(substr($0, RSTART), n, " "); print n[3] }'
}
free=$(available)
echo "== room: up to $content KiB to write, $margin KiB to spare, ${free:-0} KiB free in $folder"
[ "${free:-0}" -ge $((content + margin)) ] ||
  refuse "not enough room in $folder: $((content + margin)) KiB are needed and ${free:-0} KiB are free"

# --- the core ---

path=$(readlink "/proc/$pid/exe" 2>/dev/null)
base=$(awk -v path="$path" 'index($0, path) && $3 ~ /^0+$/ { split($1, a, "-"); print a[1]; exit }' "/proc/$pid/maps" 2>/dev/null)

[ "$(awk '{ sub(/^.*\) /, ""); print $20 }' "/proc/$pid/stat" 2>/dev/null)" = "$start" ] || {
  echo "== gone: process $pid is another one now"
  exit 3
}
name=core.$pid.$start.$(date -u +%Y%m%dT%H%M%SZ)
partial=$name.partial
log=$name.log.partial
dumping=
restore_filter() {
  [ -z "$filter" ] || echo "0x$filter" 2>/dev/null >"/proc/$pid/coredump_filter"
}
give_up() {
  [ -z "$dumping" ] || kill -KILL "$dumping" 2>/dev/null
  restore_filter
  rm -f "$partial" "$log"
  as_before
  exit 143
}
trap give_up TERM HUP INT
# A look that is cancelled, or whose connection breaks, kills this script with gdb. What it left behind is then put right from
# outside of its process group, by a shell that ends with it in any case.
if command -v setsid >/dev/null 2>&1; then
  setsid sh -c '
    began() { sed "s/.*) //" "/proc/$1/stat" 2>/dev/null | cut -d" " -f20; }
    while [ "$(began "$1")" = "$2" ]; do sleep 0.2 2>/dev/null || sleep 1; done
    # The log is removed as soon as the filter is as it was.
    [ ! -e "$7" ] || [ -z "$5" ] || [ "$(began "$3")" != "$4" ] || echo "0x$5" >"/proc/$3/coredump_filter"
    rm -f "$6" "$7"
  ' sh "$$" "$(sed 's/.*) //' "/proc/$$/stat" | cut -d' ' -f20)" "$pid" "$start" "$filter" "$partial" "$log" \
    </dev/null >/dev/null 2>&1 &
fi
# gdb keeps the mode of a file that is there already.
[ ! -e "$partial" ] && : >"$partial" || refuse "$folder/$partial exists already"
if [ -n "$filter" ]; then
  printf '0x%x\n' $((0x$filter & ~2)) 2>/dev/null >"/proc/$pid/coredump_filter"
  echo "== left out: shared memory, $holes KiB of which the process has never touched"
fi
gdb -nx -batch \
  -iex 'set auto-load off' -iex 'set auto-solib-add off' -iex 'set debug-file-directory /nonexistent' \
  -ex 'set debuginfod enabled off' -ex 'set pagination off' -ex 'set confirm off' -ex "file /proc/$pid/exe" \
  -ex 'echo == stop begins at\040' -ex 'shell cat /proc/uptime' -ex "attach $pid" -ex "generate-core-file $partial" -ex detach \
  -ex 'echo == stop ends at\040' -ex 'shell cat /proc/uptime' </dev/null >"$log" 2>&1 &
dumping=$!
# The estimate may be wrong and others write to the disk too: gdb ends before it is full, and when its time is up.
read -r began rest </proc/uptime
while kill -0 "$dumping" 2>/dev/null; do
  read -r now rest </proc/uptime
  # In hundredths: whole seconds would give up to one too many.
  if [ "$((${now%.*}${now#*.} - ${began%.*}${began#*.}))" -gt "$((seconds * 100))" ]; then
    kill -KILL "$dumping" 2>/dev/null && echo "== out of time: ended after $seconds s"
    break
  fi
  if [ "$(available)" -lt 131072 ]; then
    kill -KILL "$dumping" 2>/dev/null && echo "== out of room: ended before the disk was full"
    break
  fi
  sleep 0.2 2>/dev/null || sleep 1
done
wait "$dumping"
dumping=
restore_filter
as_before
awk '{ gsub(/[\001-\037\177]/, "?"); print substr($0, 1, 500); if (NR == 200) exit }' "$log"
saved=$(grep -c '^Saved corefile ' "$log")
rm -f "$log"
if [ "$saved" -eq 0 ] || [ ! -s "$partial" ]; then
  rm -f "$partial"
  echo "== no core"
  report_after
  exit 6
fi
chmod 600 "$partial"
mv "$partial" "$name"
trap - TERM HUP INT
# gdb writes zeros where the process has never written; they need no room on the disk.
$limit 30 fallocate --dig-holes "$name" 2>/dev/null
size=$(wc -c <"$name" | tr -d ' ')
sum=-
[ "$size" -gt 268435456 ] || sum=$(sha256sum "$name" 2>/dev/null | cut -d' ' -f1)
echo "== core: $size bytes, sha256 ${sum:--}, keep until $(($(date +%s) + hours * 3600)): $folder/$name"
# keep_replaced LINK PATH SUFFIX: what the process runs and is at its path no more is kept beside the core, which says little
# without the very file.
keep_replaced() {
  [ "$1" -ef "$2" ] && return
  $limit 20 head -c 268435456 "$1" >"$name.$3" 2>/dev/null && [ -s "$name.$3" ] || { rm -f "$name.$3"; return; }
  echo "== kept beside it: $folder/$name.$3"
}
keep_replaced "/proc/$pid/exe" "$root$path" exe
library=$(awk '$3 ~ /^0+$/ && /\/libpython[0-9.]+[a-z]*\.so[0-9.]* \(deleted\)$/ { print $1; exit }' "/proc/$pid/maps" 2>/dev/null)
[ -z "$library" ] || keep_replaced "/proc/$pid/map_files/$library" /nonexistent libpython
report_after

# --- what it shows; the process has nothing to do with this any more ---

# The link shows the file that runs even when it was replaced; its path does when the process has ended meanwhile.
exe=/proc/$pid/exe
[ "$(awk '{ sub(/^.*\) /, ""); print $20 }' "/proc/$pid/stat" 2>/dev/null)" = "$start" ] || exe=$root$path
STRACEBACK_CORE=$folder/$name STRACEBACK_EXE=$exe STRACEBACK_ROOT=$root STRACEBACK_BASE=$base \
  $limit 60 gdb -nx -batch -iex 'set auto-load off' -x "$script" </dev/null 2>&1
exit 0
