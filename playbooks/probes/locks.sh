# The fallback of locks.py for hosts without a Python: the same lines for the locks in /proc/locks, without the search
# through other processes. Usage: sh locks.sh PID START_TIME. Needs awk, cat, grep, readlink and tr.

LC_ALL=C
PATH=${PATH:+$PATH:}/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
pid=$1
p=/proc/$pid
echo 'locks 1'
[ -d "$p" ] || { echo "gone: there is no process $pid"; exit 0; }
[ -r "$p/fd" ] || echo "not readable: open files of process $pid"
[ -r /proc/locks ] || echo 'not readable: /proc/locks'

# Lines come with the file that they are from in front, so that no name can pass for another file's line.
grep -s -a -H '' "$p/stat" "$p/mountinfo" "$p"/fdinfo/* /proc/locks | awk -v pid="$pid" -v start="$2" '
function esc(s,  out, i, c) {
  if (!ready) { for (i = 1; i < 256; i++) code[sprintf("%c", i)] = i; ready = 1 }
  if (s !~ /[^ -~]/ && index(s, "\\") == 0) return s
  out = ""
  for (i = 1; i <= length(s); i++) {
    c = substr(s, i, 1)
    out = out (c == "\\" ? "\\\\" : c == "\n" ? "\\n" : code[c] < 32 || code[c] == 127 ? sprintf("\\x%02x", code[c]) : c)
  }
  return out
}
function quoted(s) { s = esc(s); gsub(/"/, "\\\"", s); return "\"" s "\"" }
function output(cmd,  line, all, more) {
  all = ""; more = 0
  while ((cmd | getline line) > 0) all = all (more++ ? "\n" : "") line
  close(cmd)
  return all
}
function hex(n,  s) { s = sprintf("%02x", n + 0); return s }
function about(who,  stat, i, name) {
  if (who in state) return
  state[who] = comm[who] = command[who] = "?"
  if (who < 1) return
  stat = output("cat /proc/" who "/stat 2>/dev/null")
  i = length(stat)
  while (i > 0 && substr(stat, i, 1) != ")") i--
  if (!i) return
  state[who] = substr(stat, i + 2, 1)
  name = substr(stat, 1, i - 1); sub(/^[^(]*\(/, "", name)
  comm[who] = quoted(name)
  command[who] = substr(output("tr \"\\000\" \" \" 2>/dev/null < /proc/" who "/cmdline"), 1, 500)
  sub(/ +$/, "", command[who])
  command[who] = command[who] == "" ? "[" esc(name) "]" : esc(command[who])
}
match($0, /^\/proc\/[^:]*:/) {
  file = substr($0, 1, RLENGTH - 1); line = substr($0, RLENGTH + 1)
  if (file == "/proc/locks") { locks[++count] = line; next }
  if (file ~ /\/stat$/) { last = line; next }
  if (file ~ /\/mountinfo$/) { split(line, W, " "); split(W[3], D, ":"); device[W[1]] = hex(D[1]) ":" hex(D[2]); next }
  fd = file; sub(/.*\//, "", fd)
  if (line ~ /^mnt_id:/) { split(line, W, " "); mount[fd] = W[2] }
  else if (line ~ /^ino:/) { split(line, W, " "); inode[fd] = W[2] }
  # Older kernels do not say the inode; who holds a lock is told by the lock itself.
  else if (line ~ /^lock:/) { split(line, W, " "); for (i = 6; i <= 8; i++) if (W[i] ~ /^[0-9a-f]+:[0-9a-f]+:[0-9]+$/) key[fd] = W[i] }
}
END {
  if (!match(last, /.*\) /)) { print "gone: there is no process " pid; exit }
  split(substr(last, RLENGTH + 1), W, " ")
  if (W[20] != start) { print "gone: process " pid " is another one by now"; exit }
  for (fd in mount) {
    if (fd in inode && mount[fd] in device) key[fd] = device[mount[fd]] ":" inode[fd]
    else if (!(fd in inode)) old = 1
    if (fd in key) fds[key[fd]] = fds[key[fd]] " " fd
  }
  if (old) print "not readable: on which of its files it waits for locks (an old kernel, and no Python on the host)"
  print "not readable: which other processes have its files open (there is no Python on the host)"
  for (n = 1; n <= count; n++) {
    line = locks[n]; sub(/^[0-9]+: +/, "", line)
    verb = "held by"
    if (line ~ /^-> /) { verb = "wanted by"; sub(/^-> */, "", line) }
    if (split(line, W, " ") < 7 || W[1] !~ /^(FLOCK|POSIX|OFDLCK|LEASE)$/ || W[3] !~ /^(READ|WRITE)$/) continue
    if (!(W[5] in fds) && W[4] != pid) continue
    list = substr(fds[W[5]], 2); split(list, F, " ")
    path = list == "" ? "" : output("readlink /proc/" pid "/fd/" F[1] " 2>/dev/null")
    about(W[4])
    print "lock: " W[1] " " W[3] " " verb " " W[4] ", on " W[5] " bytes " W[6] " to " W[7] ", target fds " (list == "" ? "none" : list) ", state " state[W[4]] ", " comm[W[4]] ", file " (path == "" ? "?" : quoted(path)) ", command " command[W[4]]
  }
  print "end"
}'
