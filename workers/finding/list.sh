# Every process of the host, one fact per line. Usage: sh list.sh PYTHON_SCRIPT WORD
#
# A Python 3.6 or later does it where there is one; else this file with POSIX sh, awk, cat, tr, ls and env (BusyBox's too).
# Names of the host come last on their line, with newlines as \1; no name can begin a line of its own.

LC_ALL=C
PATH=${PATH:+$PATH:}/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
script=$1 word=$2

for python in python3 /usr/libexec/platform-python python3.13 python3.12 python3.11 python3.10 python3.9 python3.8 python3.6; do
  found=$(command -v "$python" 2>/dev/null) || continue
  "$found" -I -S -c 'import sys; sys.exit(sys.version_info < (3, 6))' 2>/dev/null || continue
  exec "$found" -I -S "$script" "$word"
done

# As unlikely as the word is to stand in an environment or a command line: it marks where one file ends.
mark="STRACEBACK_MARK=$word"
half_a_second() { sleep 0.5 2>/dev/null || sleep 1; }

echo "list $word"
read -r uptime _ </proc/uptime
page=$(getconf PAGESIZE 2>/dev/null) || page=4096
echo "boot $uptime 100 $((page / 1024))"
echo "self $$"

# A name holds at most 15 bytes, but may hold a newline and a bracket: a record is whole when its numbers are.
STAT='
{ text = text (text == "" ? "" : "\001") $0 }
match(text, /\) [A-Za-z]( -?[0-9]+)+ ?$/) && split(substr(text, RSTART + 2), F, " ") > 21 {
  open = index(text, "("); pid = substr(text, 1, open - 2); name = substr(text, open + 1, RSTART - open - 1)
  # PF_KTHREAD of include/linux/sched.h
  if (pid ~ /^[0-9]+$/ && int(F[7] / 2097152) % 2 == 0) {
    if (second) print "t " pid " " F[20] " " F[12] " " F[13]
    else print "p " pid " " F[1] " " F[2] " " F[20] " " F[12] " " F[13] " " F[22] " " name
  }
  text = ""
}'
all=$(cat /proc/[0-9]*/stat 2>/dev/null | awk "$STAT")
printf '%s\n' "$all"
began=$(awk '{ print $1 }' /proc/uptime)

# Files of many processes through one cat, with the mark of its own environment after each: an awk that reads them one by
# one takes a process a millisecond, and mawk ends when one has gone.
some() {
  env -i "$mark" cat "$@" 2>/dev/null | tr '\000\012' '\012\001' | awk -v mark="$mark" -v pids="$pids" '
function add(piece) { if (length(text) <= 4000) text = text (text == "" ? "" : "\002") piece }
BEGIN { split(pids, P, " "); i = 1; part = 0; text = ""; long = length(mark) }
# A file that does not end with a NUL has the mark right after its end.
length($0) >= long && substr($0, length($0) - long + 1) == mark {
  if (length($0) > long) add(substr($0, 1, length($0) - long))
  who = P[i]
  if (part == 0) { if (match(text, /\001Uid:[ \t]*[0-9]+[ \t]+[0-9]+/)) { split(substr(text, RSTART, RLENGTH), U, /[ \t]+/); print "u " who " " U[3] }
    if (match(text, /\001NSpid:[ \t0-9]+/)) { n = split(substr(text, RSTART + 7, RLENGTH - 7), U, /[ \t]+/); while (n > 0 && U[n] == "") n--; if (n > 1 && U[n - 1] != "") print "i " who " " U[n] } }
  else if (part == 1) { sub(/\001+$/, "", text); if (text != "") print "c " who " " text }
  else { sub(/\002+$/, "", text); print "a " who " " (length(text) > 600 ? "1 " : "0 ") substr(text, 1, 600) }
  text = ""; if (++part == 3) { part = 0; i++ }
  next
}
{ add($0) }'
}
pids= ; count=0
set --
for pid in $(printf '%s\n' "$all" | awk '{ print $2 }'); do
  folder=/proc/$pid
  set -- "$@" "$folder/status" /proc/self/environ "$folder/cgroup" /proc/self/environ "$folder/cmdline" /proc/self/environ
  pids="$pids $pid"
  count=$((count + 1))
  if [ "$count" = 100 ]; then some "$@"; set --; pids= ; count=0; fi
done
[ "$count" = 0 ] || some "$@"

# The names of pods and containers, as the kubelet's log folders and docker's files have them.
ls /var/log/pods 2>/dev/null | awk -F_ 'NF == 3 && $3 ~ /^[0-9a-f-]+$/ && ($1 $2) ~ /^[A-Za-z0-9.-]+$/ { print "g " $3 " " $1 " " $2 }'
ls /var/log/containers 2>/dev/null | awk -F_ 'NF > 2 && /-[0-9a-f]+\.log$/ && /^[A-Za-z0-9._-]+$/ {
  rest = substr($0, length($1) + length($2) + 3); id = substr(rest, length(rest) - 67, 64)
  if (id ~ /^[0-9a-f]+$/ && length(id) == 64) print "h " id " " $2 " " $1 " " substr(rest, 1, length(rest) - 69)
}'
grep -o '"Name":"/[A-Za-z0-9._-]*"' /var/lib/docker/containers/*/config.v2.json /dev/null 2>/dev/null | awk -F/ '
{ name = $NF; sub(/".*/, "", name); if (length($6) == 64 && name != "") print "k " $6 " " name }'

# First processes of containers that runc and crun keep themselves, with their start times: what has ended is remembered too.
grep -o -E '"(init_process_pid|init_process_start|pid|process-start-time)" *: *[0-9]+' /run/runc/*/state.json /run/crun/*/status /dev/null 2>/dev/null | awk -F: '
{ split($1, A, "/"); number = $NF; gsub(/ /, "", number) }
NF == 3 && A[4] ~ /^[A-Za-z0-9][A-Za-z0-9._-]*$/ && !(($1, $2) in seen) {
  seen[$1, $2] = 1
  if ($2 ~ /pid/) pid[$1] = number; else print "o " pid[$1] " " number " " A[4]
}'

# One process of each network namespace tells what is listened on in it.
one_of_each=$(ls -ln /proc/[0-9]*/ns/net 2>/dev/null | awk '
match($0, /\/proc\/[0-9]+\/ns\/net -> net:\[[0-9]+\]$/) {
  split(substr($0, RSTART, RLENGTH), F, "/"); space = $NF
  if (!(space in seen) && n < 200) { seen[space] = 1; n++; print "/proc/" F[3] "/net/tcp /proc/" F[3] "/net/tcp6" }
}')
# shellcheck disable=SC2086 # paths of numbers
ports=$(cat /proc/self/net/tcp /proc/self/net/tcp6 $one_of_each 2>/dev/null | awk '
function hex(s,  i, v) { v = 0; for (i = 1; i <= length(s); i++) v = v * 16 + index("0123456789ABCDEF", toupper(substr(s, i, 1))) - 1; return v }
$4 == "0A" && !($10 in seen) { seen[$10] = 1; n = split($2, A, ":"); print "l " $10 " " hex(A[n]) }')
[ -z "$ports" ] || printf '%s\n' "$ports"
ls -ln /proc/[0-9]*/fd 2>/dev/null | awk -v ports="$ports" '
BEGIN { n = split(ports, L, "\n"); for (i = 1; i <= n; i++) { split(L[i], F, " "); wanted[F[2]] = 1 } }
function told() { if (who != "" && some) print "d " who " " fds }
/^\/proc\/[0-9]+\/fd:$/ { told(); split($0, A, "/"); who = A[3]; fds = 0; some = 0; next }
/^total / { some = 1; next }
/^l/ && / [0-9]+ -> / { fds++; some = 1 }
match($0, / -> socket:\[[0-9]+\]$/) { inode = substr($0, RSTART + 12, RLENGTH - 13); if (inode in wanted) print "f " who " " inode }
END { told() }'
[ "$(id -u)" = 0 ] || echo guarded
half_a_second
cat /proc/[0-9]*/stat 2>/dev/null | awk -v second=1 "$STAT"
awk -v began="$began" '{ printf "window %.3f\n", $1 - began }' /proc/uptime
awk -F: '$3 ~ /^[0-9]+$/ && NR <= 5000 { print "n " $3 " " $1 }' /etc/passwd 2>/dev/null
echo "end $word"
