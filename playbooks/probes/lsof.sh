#!/bin/sh
# Open files of one process: lsof.sh PID [PATTERN]
#
# Asks lsof for fields instead of columns, which may be empty and whose names may hold spaces, and writes columns that are
# never empty: FD TYPE SIZE NODE LINKS NAME. lsof shows what cannot be printed as \n, ^G or \x9f, so a name stays in its
# line. PATTERN is a piece of a name, taken literally. Lines that begin with "== " are this script's.
LC_ALL=C
PATH=$PATH:/usr/bin:/bin:/usr/sbin:/sbin
PATTERN=$2
export LC_ALL PATH PATTERN

pid=$1
case $pid in '' | *[!0-9]*) echo "usage: lsof.sh PID [PATTERN]" >&2; exit 64 ;; esac
command -v lsof >/dev/null 2>&1 || { echo "== missing: lsof"; exit 127; }
[ -d "/proc/$pid" ] || { echo "== gone: no process $pid"; exit 3; }
# lsof says nothing at all about what it may not read.
ls "/proc/$pid/fd" >/dev/null 2>&1 || {
  [ -d "/proc/$pid" ] || { echo "== gone: no process $pid"; exit 3; }
  echo "== denied: /proc/$pid/fd"
  exit 4
}

echo "== lsof $(lsof -v 2>&1 | awk '$1 == "revision:" { print substr($2, 1, 20); exit }') -n -P -w -S 2 +L -p $pid"
# -n -P: no look-ups of names; -w: no warnings about file systems; -S 2: waits no longer than this for one that hangs.
# Its exit status follows as a process called "end", which lsof has none of.
{
  timeout -k 1 15 lsof -n -P -w -S 2 +L -p "$pid" -F fatldsikPnT 2>&1
  printf 'pend\n== exit %d\n' $?
} | awk -v most=20000 '
  function show(   text) {
    if (fd == "") return
    files++
    # An internet socket has its inode where other files have their device.
    if (node == "" && type ~ /^IPv/) node = device
    if (protocol != "") name = protocol " " name
    if (state != "") name = name " (" state ")"
    if (pattern != "" && !index(name, pattern)) return
    matched++
    if (++lines > most) return
    text = sprintf("%-5s %-7s %10s %10s %5s %s", fd access lock, type == "" ? "-" : type, size == "" ? "-" : size,
      node == "" ? "-" : node, links == "" ? "-" : links, name)
    print substr(text, 1, 1000)
  }
  function clear() { fd = access = lock = type = device = size = node = links = name = protocol = state = "" }
  BEGIN { pattern = ENVIRON["PATTERN"]; print "FD    TYPE          SIZE       NODE LINKS NAME" }
  /^== exit / && ended { code = $3; next }
  { letter = substr($0, 1, 1); rest = substr($0, 2) }
  letter == "p" { show(); clear(); ended = (rest == "end"); next }
  letter == "f" { show(); clear(); fd = rest; gsub(/[ \t]/, "", fd); next }
  fd == "" { next }
  letter == "a" { access = rest; gsub(/[ \t]/, "", access) }
  letter == "l" { lock = rest; gsub(/[ \t]/, "", lock) }
  letter == "t" { type = rest; gsub(/[ \t]/, "", type) }
  letter == "d" { device = rest }
  letter == "s" { size = rest }
  letter == "i" { node = rest; gsub(/[ \t]/, "", node) }
  letter == "k" { links = rest }
  letter == "P" { protocol = rest }
  letter == "T" && rest ~ /^ST=/ { state = substr(rest, 4) }
  letter == "n" { name = rest }
  END {
    printf "== files: %d, matching: %d, shown: %d, lsof exit %d\n", files, matched, (lines > most) ? most : lines, code
  }'
