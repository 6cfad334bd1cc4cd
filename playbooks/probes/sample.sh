# The fallback of sample.py for hosts without a Python: the same lines, five looks a second, the same words for them.
# Usage: sh sample.sh PID START_TIME SECONDS MOST_THREADS SYSCALLS_FILE. Needs awk, grep, ls, readlink, sleep.

LC_ALL=C
PATH=${PATH:+$PATH:}/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
pid=$1 start=$2 seconds=$3 most=$4 table=$5
p=/proc/$pid
echo 'sample 1'
pause=0.2
sleep 0.01 2>/dev/null || pause=1

# Where the cpu.stat of the process's own control group is: in the cpu hierarchy, else in the unified one.
cpu=
group=
while IFS=: read -r id controllers path; do
  case ,$controllers, in *,cpu,*) group=cpu:$path ;; ,,) [ "$id" = 0 ] && group=${group:-unified:$path} ;; esac
done 2>/dev/null <"$p/cgroup"
for folder in /sys/fs/cgroup/cpu /sys/fs/cgroup/cpu,cpuacct /sys/fs/cgroup/unified /sys/fs/cgroup; do
  case $group in
    cpu:*) case $folder in */cpu*) ;; *) continue ;; esac ;;
    unified:*) case $folder in */cpu*) continue ;; esac ;;
  esac
  [ -r "$folder${group#*:}/cpu.stat" ] && { cpu=$folder${group#*:}/cpu.stat; break; }
done

# Every line that is read goes into the pipe behind the file it comes from, so a name with a newline forges nothing.
# grep goes on where a thread ends in between.
ends() {
  grep -s -a -H '' "$p/stat" "$p/statm" "$p/status" "$p/io" "$p"/task/*/status ${cpu:+"$cpu"}
  set -- "$p"/fd/*
  [ -r "$p/fd" ] && if [ -L "$1" ]; then echo "=fds $#"; else echo '=fds 0'; fi
}
{
  ends
  echo '=first'
  while :; do
    read -r now _ </proc/uptime
    echo "=at $now"
    grep -s -a -H '' "$p/stat" "$p/statm" "$p"/task/*/stat "$p"/task/*/syscall "$p"/task/*/wchan
    echo '=look'
    [ -d "$p" ] || break
    read -r now _ </proc/uptime
    # Whole and hundredths apart: sh counts in integers.
    : "${began:=${now%.*}${now#*.}}"
    [ $((${now%.*}${now#*.} - began)) -lt "$(echo "$seconds" | awk '{ printf "%d", $1 * 100 }')" ] || break
    sleep $pause
  done
  echo '=last'
  ends
  grep -s -a -H '' "$p"/task/*/stack
  echo '=end'
} 2>/dev/null | awk -v pid="$pid" -v start="$start" -v most="$most" -v table="$table" -v machine="$(uname -m)" -v cpu="$cpu" -v group="${group#*:}" -v page="$(getconf PAGESIZE 2>/dev/null || echo 4096)" '
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
function hex(s,  v, i) {
  v = 0; s = substr(s, 3)
  if (length(s) > 8) s = substr(s, length(s) - 7)
  for (i = 1; i <= length(s); i++) v = v * 16 + index("0123456789abcdef", substr(s, i, 1)) - 1
  return v
}
function point(fd,  cmd, line, all, more) {
  cmd = "readlink /proc/" pid "/fd/" fd " 2>/dev/null"; all = ""; more = 0
  while ((cmd | getline line) > 0) { all = all (more++ ? "\n" : "") line }
  close(cmd)
  return all
}
# What a stat file says, out of its last line: a name may hold brackets and newlines. F[1] is the state.
function stat_fields(line, F) { return match(line, /.*\) /) ? split(substr(line, RLENGTH + 1), F, " ") : 0 }
function look(  tid, F, n, number, args) {
  if (!(("/proc/" pid "/stat") in file)) { gone = at; return }
  stat_fields(file["/proc/" pid "/stat"], F)
  if (F[20] != start) { other = 1; return }
  if ((F[1] == "Z" || F[1] == "X") && F[18] <= 1) gone = at
  for (n = 1; n <= 20; n++) { if (!rounds) head[n] = F[n]; tail[n] = F[n] }
  if (first_at == "") first_at = at
  last_at = at; rounds++
  split(file["/proc/" pid "/statm"], F, " "); rss = F[2] * page / 1024
  if (rss_first == "") { rss_first = least = most_rss = rss }
  rss_last = rss; if (rss < least) least = rss; if (rss > most_rss) most_rss = rss
  for (tid in alive) delete alive[tid]
  for (n = 1; n <= listed; n++) {
    tid = order[n]
    if (!stat_fields(file["/proc/" pid "/task/" tid "/stat"], F)) continue
    alive[tid] = 1
    if (!(tid in ever)) { ever[tid] = 1; if (rounds > 1) started++ ; if (watched < most) { watched++; who[watched] = tid; mine[tid] = 1 } else left_out++ }
    if (!(tid in mine)) continue
    samples[tid]++
    state[tid " " F[1]]++; seen_state[F[1]] = 1; now_state[tid] = F[1]
    if (!((tid, "u") in from)) { from[tid, "u"] = F[12]; from[tid, "s"] = F[13] }
    to[tid, "u"] = F[12]; to[tid, "s"] = F[13]
    comm[tid] = name_of["/proc/" pid "/task/" tid "/stat"]
    number = file["/proc/" pid "/task/" tid "/syscall"]
    if (number == "") number = "?"
    else if (number ~ /^running/ || number ~ /^-1/) number = "running"
    else { split(number, args, " "); number = args[1] }
    if (!(tid " " number in calls)) { kinds[tid]++; kind[tid, kinds[tid]] = number }
    calls[tid " " number]++
    if (number ~ /^[0-9]+$/) {
      if (number in takes && (args[2] != arg[tid, number] || target[tid, number] == "")) target[tid, number] = point(hex(args[2]))
      arg[tid, number] = args[2]
      last_args[tid, number] = args[2] ", " args[3] ", " args[4] ", " args[5] ", " args[6] ", " args[7]
    }
    number = file["/proc/" pid "/task/" tid "/wchan"]
    if (number != "" && number != "0" && F[1] !~ /[RTt]/) {
      if (!(tid " " number in waits)) { places[tid]++; place[tid, places[tid]] = number }
      waits[tid " " number]++
    }
  }
  for (tid in before) if (!(tid in alive)) { ended++; delete before[tid] }
  for (tid in alive) before[tid] = 1
}
function ends(which,  k, words, key, tid) {
  for (k in file) {
    if (k == "/proc/" pid "/status") swap[which] = value(text[k], "VmSwap:")
    else if (k == "/proc/" pid "/io") io[which] = text[k]
    else if (k == cpu) throttle[which] = text[k]
    else if (k ~ /\/task\/[0-9]+\/status$/) {
      tid = k; sub(/\/status$/, "", tid); sub(/.*\//, "", tid)
      switches[which, tid] = value(text[k], "voluntary_ctxt_switches:") " " value(text[k], "nonvoluntary_ctxt_switches:")
    }
  }
  fds[which] = fd_count
}
function value(text, key,  n, L, i, W) {
  n = split(text, L, "\n")
  for (i = 1; i <= n; i++) { split(L[i], W, " "); if (W[1] == key) return W[2] + 0 }
  return ""
}
function grown(one, two, key) { return value(two, key) - value(one, key) }
function clear(  k) { for (k in file) delete file[k]; for (k in text) delete text[k]; for (k in name_of) delete name_of[k]; listed = 0 }
# Highest count first; few enough that a plain search does.
function best(count, prefix, list, n, used,  i, top) {
  top = 0
  for (i = 1; i <= n; i++) if (!(i in used) && (!top || count[prefix " " list[prefix, i]] > count[prefix " " list[prefix, top]])) top = i
  used[top] = 1
  return top
}
function thread(tid,  i, n, line, top, used, number, name, A, B, k) {
  n = split("R S D T t Z X I P", A, " "); line = ""
  for (i = 1; i <= n; i++) if (tid " " A[i] in state) line = line " " A[i] " " state[tid " " A[i]]
  for (k in seen_state) if (index("RSDTtZXIP", k) == 0 && tid " " k in state) line = line " " k " " state[tid " " k]
  split(switches["first", tid], A, " "); split(switches["last", tid], B, " ")
  k = esc(comm[tid]); gsub(/"/, "\\\"", k)
  printf "thread %s: \"%s\", %d samples, states%s, user %.2f s, system %.2f s, switches %s voluntary %s involuntary\n", tid, k, samples[tid], line, (to[tid, "u"] - from[tid, "u"]) / 100, (to[tid, "s"] - from[tid, "s"]) / 100, (A[1] != "" && B[1] != "" ? B[1] - A[1] : "?"), (A[2] != "" && B[2] != "" ? B[2] - A[2] : "?")
  for (i = 1; i <= kinds[tid] && i <= 12; i++) {
    number = kind[tid, best(calls, tid, kind, kinds[tid], used)]
    if (number == "running") print "thread " tid " in no system call " calls[tid " running"] " times"
    else if (number == "?") print "thread " tid " in an unreadable system call " calls[tid " ?"] " times"
    else {
      name = (number in names) ? names[number] : "syscall_" number
      print "thread " tid " in " name " " calls[tid " " number] " times, last " name "(" last_args[tid, number] ")" (target[tid, number] == "" ? "" : " on " esc(target[tid, number]))
    }
  }
  for (k in used) delete used[k]
  for (i = 1; i <= places[tid] && i <= 6; i++) { k = place[tid, best(waits, tid, place, places[tid], used)]; print "thread " tid " waits in " esc(k) " " waits[tid " " k] " times" }
  if (tid in stack) print "thread " tid " kernel stack: " esc(stack[tid])
}
BEGIN {
  if (machine ~ /^(riscv64|loongarch64|arm64)$/) machine = "aarch64"
  while ((getline line < table) > 0) {
    n = split(line, W, " ")
    if (W[1] != machine) continue
    for (i = 3; i <= n; i++) if (W[i] != "-") {
      if (W[i] ~ /@$/) { takes[W[2] + i - 3] = 1; sub(/@$/, "", W[i]) }
      names[W[2] + i - 3] = W[i]
    }
  }
  started = ended = left_out = watched = 0
}
/^=fds / { fd_count = substr($0, 6); next }
/^=first$/ { ends("first"); clear(); next }
/^=at / { at = substr($0, 5) + 0; clear(); next }
/^=look$/ { look(); clear(); next }
/^=last$/ { clear(); fd_count = ""; next }
/^=end$/ {
  ends("last")
  for (k in file) if (k ~ /\/stack$/) {
    tid = k; sub(/\/stack$/, "", tid); sub(/.*\//, "", tid)
    if (!(tid in mine) || now_state[tid] !~ /[SD]/) continue
    n = split(text[k], W, "\n"); all = ""
    for (i = 1; i <= n; i++) { frame = W[i]; sub(/^\[[^]]*\] /, "", frame); sub(/\+.*/, "", frame); if (frame !~ /^0x/ && frame != "") all = all (all == "" ? "" : " < ") frame }
    if (all != "") stack[tid] = all
  }
  next
}
# path:text, the path always one of those that were asked for
match($0, /^\/[^:]*:/) {
  path = substr($0, 1, RLENGTH - 1); line = substr($0, RLENGTH + 1)
  if (path in text) { text[path] = text[path] "\n" line } else text[path] = line
  if (path ~ /\/stat$/ && path != cpu) {
    if (!(path in file) && match(path, /\/task\/[0-9]+\//)) order[++listed] = substr(path, RSTART + 6, RLENGTH - 7)
    name_of[path] = text[path]; sub(/^[^(]*\(/, "", name_of[path])
    if (match(name_of[path], /.*\)/)) { i = RLENGTH; while (substr(name_of[path], i, 1) != ")") i--; name_of[path] = substr(name_of[path], 1, i - 1) }
  }
  file[path] = line
}
END {
  if (other && !rounds) { print "gone: process " pid " is another one by now"; exit }
  if (!rounds) { print "gone: there is no process " pid; exit }
  printf "window: %.3f s, %d samples, 100 ticks per second, watching took ? s of CPU\n", last_at - first_at, rounds
  printf "process: user %.2f s, system %.2f s, minor faults %d, major faults %d\n", (tail[12] - head[12]) / 100, (tail[13] - head[13]) / 100, tail[8] - head[8], tail[10] - head[10]
  printf "memory: resident %d kB first, %d kB last, %d kB least, %d kB most\n", rss_first, rss_last, least, most_rss
  printf "swap: %d kB first, %d kB last\n", swap["first"], swap["last"] == "" ? swap["first"] : swap["last"]
  if (io["first"] != "" && io["last"] != "") {
    n = split("rchar wchar syscr syscw read_bytes write_bytes", W, " "); line = ""
    for (i = 1; i <= n; i++) line = line (i > 1 ? ", " : "") W[i] " " grown(io["first"], io["last"], W[i] ":")
    print "io: " line
  } else if (!gone) print "not readable: /proc/" pid "/io"
  if (fds["first"] != "" && fds["last"] != "") print "descriptors: " fds["first"] " first, " fds["last"] " last"
  if (value(throttle["first"], "nr_periods") != "" && value(throttle["last"], "nr_periods") != "") {
    one = throttle["first"]; two = throttle["last"]
    seconds = value(two, "throttled_usec") != "" ? grown(one, two, "throttled_usec") / 1000000 : grown(one, two, "throttled_time") / 1000000000
    printf "throttled: %d periods, %d throttled, %.3f s, %s\n", grown(one, two, "nr_periods"), grown(one, two, "nr_throttled"), seconds, esc(group)
  }
  print "threads: " watched " sampled, " left_out " not sampled, " started + 0 " started, " ended + 0 " ended"
  for (i = 1; i <= watched; i++) if (calls[who[i] " ?"] == samples[who[i]]) blind++
  if (blind) print "not readable: system calls of " blind " threads (permission)"
  for (i = 1; i <= watched; i++) thread(who[i])
  if (gone) printf "ended: process %s ended after %.2f s\n", pid, gone - first_at
  else if (other) printf "ended: process %s ended after %.2f s\n", pid, last_at - first_at
  print "end"
}'
