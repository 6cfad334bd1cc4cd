# Part of identify.sh: what the process runs in, in awk, SURROUNDINGS: its namespaces beside those of the host, and the host itself.

SURROUNDINGS='
function namespaces(  cmd, line, i, n, whose, target, name, init, differs, known) {
  cmd = "ls -ln " mm "/ns /proc/1/ns /proc/self/ns 2>/dev/null"; whose = ""; differs = ""
  while ((cmd | getline line) > 0) {
    if (line ~ /^\/proc\/.*:$/) { whose = line; continue }
    if (!match(line, /[a-z_]+ -> [a-z]+:\[[0-9]+\]$/)) continue
    line = substr(line, RSTART); i = index(line, " -> "); name = substr(line, 1, i - 1); target = substr(line, i + 4)
    if (whose == "/proc/1/ns:") { init[name] = target; continue }
    if (whose == "/proc/self/ns:") { if (!(name in init)) init[name] = target; continue }
    if (name !~ /_for_children$/) { known[name] = target; print "namespace " name ": " target }
  }
  close(cmd)
  if (("mnt" in known) && known["mnt"] != init["mnt"]) differs = "its mount namespace is not the one of process 1"
  n = split(me["NSpid"], A, /[ \t]+/)
  if (n > 1 || (("pid" in known) && known["pid"] != init["pid"])) differs = "its pid namespace is not the one of process 1"
  # Seen from inside, in the innermost pid namespace (proc(5), NSpid).
  contained = (differs != "")
  print "container: " (differs == "" ? "no" : "yes, " differs (n > 1 ? ", its process id inside is " A[n] : ""))
  return ("mnt" in known)
}
function host(  path, line, cpus, booted, A, total, free, other, uid) {
  path = "/proc/stat"; cpus = 0
  while ((getline line < path) > 0) {
    if (line ~ /^cpu[0-9]/) cpus++
    else if (line ~ /^btime /) booted = substr(line, 7)
  }
  close(path)
  path = "/proc/meminfo"; free = ""; other = 0
  while ((getline line < path) > 0) {
    split(line, A, " ")
    if (A[1] == "MemTotal:") total = A[2]
    else if (A[1] == "MemAvailable:") free = A[2]
    else if (A[1] == "MemFree:" || A[1] == "Buffers:" || A[1] == "Cached:") other += A[2]
  }
  close(path)
  split(first("/proc/loadavg"), A, " ")
  print "host kernel: " esc(first("/proc/sys/kernel/osrelease"))
  print "host cpus: " cpus
  print "host load: " A[1] " " A[2] " " A[3]
  print "host memory: total " total " kB, available " (free == "" ? other : free) " kB"
  print "host booted at: " booted
  path = "/proc/self/status"
  while ((getline line < path) > 0) if (line ~ /^Uid:/) { split(line, A, " "); uid = A[3] }
  close(path)
  print "looking as user id: " uid
  line = first("/proc/sys/kernel/yama/ptrace_scope")
  if (line != "") print "ptrace scope: " line
}
'
