# Tells how much processor time a process may have: the processors that it may run on, and the quota of its control group
# and of each group above. Usage: sh cpu-limits.sh PID
#
# POSIX sh and awk only (BusyBox's too). Group names are escaped, so that none can begin a line of its own.

LC_ALL=C
PATH=${PATH:+$PATH:}/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
pid=$1
case $pid in '' | *[!0-9]*) echo "usage: cpu-limits.sh PID" >&2; exit 2 ;; esac

echo 'cpu limits 1'
if ! [ -d "/proc/$pid" ]; then
  echo "gone: there is no process $pid"
  exit 0
fi

exec awk -v pid="$pid" '
function esc(s,  out, i, c) {
  if (s !~ /[^ -~]/ && index(s, "\\") == 0) return s
  for (i = 1; i < 256; i++) code[sprintf("%c", i)] = i
  out = ""
  for (i = 1; i <= length(s); i++) {
    c = substr(s, i, 1)
    out = out (c == "\\" ? "\\\\" : code[c] < 32 || code[c] > 126 ? sprintf("\\x%02x", code[c]) : c)
  }
  return out
}
function first(path,  line) {
  line = ""
  getline line < path
  close(path)
  return line
}
# How many numbers a list like 0-3,8 names.
function members(text,  A, B, i, n, sum) {
  n = split(text, A, ","); sum = 0
  for (i = 1; i <= n; i++) sum += split(A[i], B, "-") == 2 ? B[2] - B[1] + 1 : A[i] != ""
  return sum
}
function allowed(  path, line) {
  path = "/proc/" pid "/status"
  while ((getline line < path) > 0) if (line ~ /^Cpus_allowed_list:/) { sub(/^Cpus_allowed_list:[ \t]*/, "", line); close(path); return line }
  close(path)
  return ""
}
# The group in the hierarchy of version 1 that has the controller cpu, else in the one of version 2.
function member(  path, line, n, i, rest) {
  path = "/proc/" pid "/cgroup"; kind = ""; group = ""
  while ((getline line < path) > 0) {
    n = index(line, ":"); rest = substr(line, n + 1); i = index(rest, ":")
    if (index("," substr(rest, 1, i - 1) ",", ",cpu,")) { kind = "cgroup"; group = substr(rest, i + 1) }
    else if (i == 1 && substr(line, 1, n) == "0:" && kind == "") { kind = "cgroup2"; group = substr(rest, i + 1) }
  }
  close(path)
}
# mountinfo: id parent major:minor root mountpoint options [tags] - type source superoptions (proc_pid_mountinfo(5)).
function mounted(  path, line, i, A) {
  path = "/proc/self/mountinfo"; mount = ""; root = ""
  while ((getline line < path) > 0) {
    i = index(line, " - " kind " ")
    if (!i || (kind == "cgroup" && substr(line, i + 3) !~ /[ ,]cpu(,|$)/)) continue
    split(line, A, " "); root = A[4]; mount = A[5]
    if (root == "/") break
  }
  close(path)
}
function stat_of(path,  line, A) {
  periods = throttled = ""; seconds = 0
  while ((getline line < path) > 0) {
    split(line, A, " ")
    if (A[1] == "nr_periods") periods = A[2]
    else if (A[1] == "nr_throttled") throttled = A[2]
    else if (A[1] == "throttled_time") seconds = A[2] / 1000000000
    else if (A[1] == "throttled_usec") seconds = A[2] / 1000000
  }
  close(path)
}
function level(folder, name,  quota, period, file, A) {
  if (kind == "cgroup") {
    file = folder "/cpu.cfs_quota_us"; quota = first(file); period = first(folder "/cpu.cfs_period_us")
  } else {
    file = folder "/cpu.max"; quota = first(file)
    split(quota, A, " "); quota = A[1]; period = A[2]
  }
  stat_of(folder "/cpu.stat")
  if (quota == "" && periods == "") return
  if (quota ~ /^[0-9]+$/ && period ~ /^[0-9]+$/ && period > 0) quota = quota " us of " period " us"
  else quota = "none"
  printf "group: quota %s, %d periods, %d throttled, %.3f s, in %s, %s\n", quota, periods, throttled, seconds, esc(file), esc(name)
}
BEGIN {
  list = allowed()
  path = "/proc/stat"; cpus = 0
  while ((getline line < path) > 0) if (line ~ /^cpu[0-9]/) cpus++
  close(path)
  printf "processors: %d on the host, %d allowed (%s)\n", cpus, members(list), esc(list)
  member()
  if (kind != "") mounted()
  if (kind == "" || mount == "") print "not readable: its control group"
  else if (group ~ /\/\.\./) print "not readable: its control group, which is outside of what is mounted here"
  else {
    where = group
    if (root != "/" && index(where, root) == 1) where = substr(where, length(root) + 1)
    if (where == "/") where = ""
    for (n = 0; n < 64; n++) {
      level(mount where, group)
      if (where == "") break
      sub(/\/[^\/]*$/, "", where); sub(/\/[^\/]*$/, "", group)
      if (group == "") group = "/"
    }
  }
  print "end"
}'
