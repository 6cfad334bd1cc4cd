# Part of identify.sh: the facts about the process, its relatives and the host, in the order in which they are printed. It ends
# with 3 when there is nothing to go on with.

# mawk gives up altogether, with 2, when a relative ends between opening and reading one of its files: then it is run again.
facts() { awk -v pid="$pid" -v mm="$mm" "$ESC$FILES$RELATIVES$CONTROL_GROUPS$SURROUNDINGS"'
function arguments(  cmd, n, i, line, A, arg, bytes, count, c) {
  cmd = "od -An -v -tu1 -N 65536 " mm "/cmdline 2>/dev/null"
  arg = ""; bytes = 0; count = 0
  while ((cmd | getline line) > 0) {
    n = split(line, A, " ")
    for (i = 1; i <= n; i++) {
      bytes++
      if (A[i] != 0) { if (length(arg) < 4096) arg = arg sprintf("%c", A[i] + 0); else cut = 1; continue }
      if (count < 256) print "argument " count ": " esc(arg)
      count++; arg = ""
    }
  }
  close(cmd)
  if (arg != "") { if (count < 256) print "argument " count ": " esc(arg); count++ }
  if (bytes >= 65536 || count > 256) print "not readable: arguments beyond the first 256 or 65536 bytes"
  if (cut) print "not readable: what arguments hold beyond 4096 bytes"
}
BEGIN {
  if (!stat_of(pid, stat)) { print "gone: process " pid " ended while it was looked at"; exit 3 }
  split(first("/proc/uptime"), A, " "); uptime = A[1]
  status_of(pid, me)
  if (me["Tgid"] != "" && me["Tgid"] != pid) { print "thread: " pid " is a thread of process " me["Tgid"]; exit 3 }
  print "process: " pid " " quoted(me["Name"])
  # PF_KTHREAD of include/linux/sched.h
  if (int(stat[7] / 2097152) % 2) { print "kernel thread: yes"; exit 3 }
  print "state: " (me["State"] == "" ? stat[1] : me["State"])
  print "start time: " stat[20] " clock ticks after boot, " age(stat[20]) " s ago"
  print "threads: " stat[18]
  split(me["Uid"], A, /[ \t]+/); print "user id: " A[1]
  arguments()
  if (ENVIRON["EXE"] != "") print "executable: " esc(ENVIRON["EXE"]); else print "not readable: " mm "/exe"
  if (ENVIRON["DELETED"] == "yes") print "executable deleted: yes"
  if (ENVIRON["CWD"] != "") print "working directory: " esc(ENVIRON["CWD"]); else print "not readable: " mm "/cwd"
  if (ENVIRON["ROOT"] != "") print "root directory: " esc(ENVIRON["ROOT"]); else print "not readable: " mm "/root"
  print "memory: resident " kib("VmRSS") " kB, peak " kib("VmHWM") " kB, anonymous " kib("RssAnon") " kB, virtual " kib("VmSize") " kB, swapped " kib("VmSwap") " kB"
  print "signals: pending " me["SigPnd"] " and " me["ShdPnd"] ", blocked " me["SigBlk"] ", ignored " me["SigIgn"] ", caught " me["SigCgt"]
  limit = "?"; path = "/proc/" pid "/limits"
  while ((getline line < path) > 0) if (line ~ /^Max open files /) { split(line, A, " "); limit = A[4] }
  close(path)
  if (ENVIRON["FDS"] != "") print "descriptors: " ENVIRON["FDS"] " open, limit " limit; else print "not readable: " mm "/fd"
  cgroup()
  freezer()
  if (!namespaces()) print "not readable: " mm "/ns"
  tracer = me["TracerPid"] + 0; parent = stat[2] + 0
  kids = bound(children_of(pid), 256, "children")
  sibs = parent > 2 ? bound(children_of(parent), 64, "siblings") : ""
  keeps = contained ? keeper(parent) : ""
  commands_of((tracer ? tracer " " : "") (keeps ? keeps " " : "") (parent ? parent : "") kids sibs)
  if (keeps) print "kept by: " keeps ", " command_line(keeps, "unknown")
  if (tracer) print "traced by: " tracer ", " command_line(tracer, "unknown")
  if (parent) relative("parent", parent)
  n = split(kids, A, " "); for (i = 1; i <= n; i++) relative("child", A[i], pid)
  n = split(sibs, A, " "); for (i = 1; i <= n; i++) relative("sibling", A[i], parent)
  host()
  if (!stat_of(pid, again) || again[20] != stat[20]) print "gone: process " pid " ended while it was looked at"
}' 2>/dev/null; }
for try in 1 2 3; do
  told=$(facts)
  code=$?
  [ $code -eq 2 ] || break
done
printf '%s\n' "$told"
[ $code -eq 0 ] || exit 0
