# Part of identify.sh: parent, children and siblings, who traces and who keeps the process, with their command lines, in awk,
# RELATIVES. A host may have tens of thousands of processes: /proc is walked only where the kernel does not tell children.

RELATIVES='
function bound(list, most, what,  n, A, i, out) {
  n = split(list, A, " "); out = ""
  for (i = 1; i <= n && i <= most; i++) if (A[i] != pid) out = out " " A[i]
  if (n > most) print "not readable: " n - most " of " n " " what " (only " most " are looked at)"
  return out
}
function children_of(who,  path, cmd, line, list) {
  path = "/proc/" who "/task/" who "/children"; list = ""
  # Kernels without CONFIG_PROC_CHILDREN do not have the file: then all of /proc is asked for its parent, once.
  if ((getline line < path) < 0) { scan(); return by_parent[who] }
  close(path)
  cmd = "cat /proc/" who "/task/*/children 2>/dev/null"
  while ((cmd | getline line) > 0) list = list " " line
  close(cmd)
  return list
}
# The parent of every process. A name that holds a newline could claim one here; relative() asks again.
function scan(  cmd, line, name, F, seen) {
  if (scanned) return
  scanned = 1; seen = 0
  cmd = "cat /proc/[0-9]*/stat 2>/dev/null"
  while ((cmd | getline line) > 0) {
    if (line ~ /^[0-9]+ \(/) { name = line; sub(/ .*/, "", name); seen++ }
    if (seen > 20000 || !match(line, /.*\) /)) continue
    split(substr(line, RLENGTH + 1), F, " ")
    by_parent[F[2]] = by_parent[F[2]] " " name
  }
  close(cmd)
  if (seen > 20000) print "not readable: relatives beyond the first 20000 processes of the host"
}
function commands_of(list,  n, who, i, files, cmd, line, k, asked) {
  n = split(list, who, " "); files = ""
  # A tracer may be a relative too; what is read twice would be there twice.
  for (i = 1; i <= n; i++) if (!(who[i] in asked)) { asked[who[i]] = 1; files = files " /proc/" who[i] "/cmdline" }
  cmd = "grep -s -a -H \"\" /proc/self/cmdline" files " | tr \"\\000\" \" \""
  while ((cmd | getline line) > 0) {
    if (!match(line, /^\/proc\/[a-z0-9]+\/cmdline:/)) continue
    k = substr(line, 7, RLENGTH - 15)
    add_command(k, substr(line, RLENGTH + 1))
  }
  close(cmd)
  # A grep that stops at the NUL after the first word (BusyBox) shows it on its own command line: read one by one.
  if (command["self"] ~ / /) return
  for (i = 1; i <= n; i++) {
    delete command[who[i]]
    cmd = "tr \"\\000\" \" \" 2>/dev/null < /proc/" who[i] "/cmdline"
    while ((cmd | getline line) > 0) add_command(who[i], line)
    close(cmd)
  }
}
function add_command(who, text) {
  if (!(who in command)) command[who] = substr(text, 1, 500)
  else if (length(command[who]) < 500) command[who] = substr(command[who] "\n" text, 1, 500)
}
function command_line(who, name,  s) {
  s = command[who]; sub(/ +$/, "", s)
  return s == "" ? "[" esc(name) "]" : esc(s)
}
function relative(kind, who, of,  F, S) {
  if (!stat_of(who, F) || (of && F[2] != of)) return
  status_of(who, S)
  print kind " " who ": " F[1] ", " age(F[20]) " s old, catches " (S["SigCgt"] == "" ? "?" : S["SigCgt"]) ", " quoted(S["Name"]) ", " command_line(who, S["Name"])
}
# What a runtime left beside the container (podman, CRI-O, docker, containerd) is above all that runs in it.
function keeper(who,  depth, name, F) {
  for (depth = 0; who > 1 && depth < 64; depth++) {
    name = first("/proc/" who "/comm")
    if (name == "conmon" || name == "containerd-shim") return who
    if (!stat_of(who, F)) return ""
    who = F[2] + 0
  }
  return ""
}
'
