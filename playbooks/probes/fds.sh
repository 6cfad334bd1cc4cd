# The fallback of fds.py for hosts without a Python: the same lines, the two ends of the window only, files by their whole
# name or their folder. Usage: sh fds.sh PID START_TIME SECONDS. Needs awk, ls, sleep.

LC_ALL=C
PATH=${PATH:+$PATH:}/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
pid=$1 start=$2 seconds=$3
p=/proc/$pid
echo 'fds 1'
[ -d "$p" ] || { echo "gone: there is no process $pid"; exit 0; }
ls "$p/fd" >/dev/null 2>&1 || { echo 'denied: Permission denied'; exit 0; }

# -q keeps a name from looking like further lines; busybox does without it.
list() { ls -lq "$p/fd" 2>/dev/null || ls -l "$p/fd" 2>/dev/null; }
{
  cat "$p/stat"
  echo '=limits'
  cat "$p/limits"
  echo '=host'
  cat /proc/sys/fs/file-nr
  echo '=first'
  list
  sleep "$seconds" 2>/dev/null || sleep "${seconds%%.*}"
  echo '=last'
  list
  echo '=stat'
  cat "$p/stat"
  echo '=end'
} 2>/dev/null | awk -v pid="$pid" -v start="$start" -v seconds="$seconds" -v most=20000 '
function esc(s) { gsub(/\\/, "\\\\", s); gsub(/[\001-\037\177-\377]/, "?", s); return substr(s, 1, 600) }
function quoted(s) { s = esc(s); gsub(/"/, "\\\"", s); return "\"" s "\"" }
# Field 22 counted behind the name, which may hold anything.
function started(line,  W) { sub(/^.*\) /, "", line); return split(line, W, " ") >= 20 ? W[20] : "" }
function kind(t) {
  if (t ~ /^\/memfd:/) return "memfd"
  if (t ~ /^\/.* \(deleted\)$/) return "deleted file"
  if (t ~ /^\/dev\// && t !~ /^\/dev\/shm\//) return "device"
  if (t ~ /^\//) return "file"
  if (t ~ /^(socket|pipe):/) return substr(t, 1, index(t, ":") - 1)
  if (t == "anon_inode:[eventpoll]") return "epoll"
  if (t ~ /^anon_inode:(inotify|\[(eventfd|timerfd|signalfd|io_uring|pidfd|perf_event)\])$/) { sub(/^anon_inode:\[?/, "", t); sub(/\]$/, "", t); return t }
  return "other"
}
function name(k, t) {
  if (k == "deleted file") sub(/ \(deleted\)$/, "", t)
  if (k == "file" || k == "deleted file") { if (times[t] < 2) sub(/\/[^\/]*$/, "/*", t); return t }
  return k == "device" ? t : ""
}
/^=[a-z]+$/ { part = $0; next }
part == "" { if (first == "") first = $0; next }
part == "=limits" && /^Max open files/ { soft = $4; hard = $5; next }
part == "=host" { host = ($1 - $2) " open of " $3; next }
part == "=stat" { last = $0; next }
part == "=first" || part == "=last" {
  at = index($0, " -> ")
  if (!at) next
  number = substr($0, 1, at - 1); sub(/^.* /, "", number)
  count[part]++
  if (count[part] > most) next
  target[part, number] = substr($0, at + 4); numbers[part, count[part]] = number
  if (part == "=last" || !(("=last", number) in target)) seen[part, substr($0, at + 4)]++
}
END {
  if (started(first) != start) { print "gone: there is no such process " pid; exit }
  if (started(last) != start) print "not readable: the end of the window (the process ended)"
  printf "window: %.3f s\n", seconds
  if (soft != "") print "limits: soft " soft ", hard " hard
  if (host != "") print "host: " host
  printf "open: %d at 0.00 s, %d at %.2f s\n", count["=first"], count["=last"], seconds
  for (key in seen) { split(key, K, SUBSEP); t = K[2]; sub(/ \(deleted\)$/, "", t); if (seen[key] > times[t]) times[t] = seen[key] }
  for (side = 0; side < 2; side++) {
    part = side ? "=last" : "=first"; other = side ? "=first" : "=last"
    for (i = 1; i <= count[part] && i <= most; i++) {
      n = numbers[part, i]; t = target[part, n]; k = kind(t); g = k SUBSEP name(k, t)
      kinds[k]; kinded[part, k]++; groups[g]; had[part, g]++
      if (target[other, n] != t) changed[part, g]++
      if (!((g, t) in named)) { named[g, t]; names[g]++ }
    }
  }
  for (k in kinds) printf "kind %s: %d first, %d last\n", k, kinded["=first", k], kinded["=last", k]
  for (g in groups) {
    if (had["=first", g] < 3 && had["=last", g] < 3 && ++small > 10) continue
    split(g, K, SUBSEP)
    printf "group %s: %d first, %d last, %d opened, %d closed, %d names, %s\n", K[1], had["=first", g], had["=last", g], changed["=last", g], changed["=first", g], names[g], K[2] == "" ? "-" : quoted(K[2])
    if (++shown >= 200) break
  }
  print "end"
}'
