# Tells who a process is: one fact per line, in words. Usage: sh identify.sh PID
#
# It is the first thing that runs on a host, so it must work with nothing but POSIX sh, awk, grep, od, tr, ls and
# readlink (BusyBox's too) and start few processes. Everything that a process can choose (its name, arguments, paths)
# goes through esc(), so that no name can begin a line of its own.

LC_ALL=C
PATH=${PATH:+$PATH:}/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
pid=$1
case $pid in '' | *[!0-9]*) echo "usage: identify.sh PID" >&2; exit 2 ;; esac
p=/proc/$pid

echo 'identify 1'
if ! [ -d "$p" ]; then
  # With hidepid= on /proc a foreign process is there and yet cannot be seen; kill -0 tells the two apart.
  case $(kill -0 "$pid" 2>&1) in
    *ermitted*) echo "hidden: process $pid exists, but /proc does not show it to this user" ;;
    *) echo "gone: there is no process $pid" ;;
  esac
  exit 0
fi

ESC='
function esc(s,  out, i, c, n) {
  if (!ready) {
    for (i = 1; i < 256; i++) code[sprintf("%c", i)] = i
    ready = 1
  }
  if (s !~ /[^ -~]/ && index(s, "\\") == 0) return s
  out = ""
  for (i = 1; i <= length(s); i++) {
    c = substr(s, i, 1)
    n = code[c]
    if (c == "\\") out = out "\\\\"
    else if (c == "\n") out = out "\\n"
    else if (n < 32 || n == 127) out = out sprintf("\\x%02x", n)
    else if (n == 194 && hidden(code[substr(s, i + 1, 1)], 128, 159)) { out = out two(s, i); i++ }
    else if (n == 226 && unseen(code[substr(s, i + 1, 1)], code[substr(s, i + 2, 1)])) { out = out two(s, i) three(s, i); i += 2 }
    else out = out c
  }
  return out
}
function hidden(n, low, high) { return n >= low && n <= high }
# U+200B to U+200F, U+2028 to U+202E and U+2060 to U+206F: invisible, or they turn the direction of the text.
function unseen(b, c) { return (b == 128 && (hidden(c, 139, 143) || hidden(c, 168, 174))) || (b == 129 && hidden(c, 160, 175)) }
function two(s, i) { return sprintf("\\x%02x\\x%02x", code[substr(s, i, 1)], code[substr(s, i + 1, 1)]) }
function three(s, i) { return sprintf("\\x%02x", code[substr(s, i + 2, 1)]) }
function quoted(s) { s = esc(s); gsub(/"/, "\\\"", s); return "\"" s "\"" }
'

# link NAME FILE: puts where the link points into the variable NAME, newlines at its end included.
link() {
  if value=$(readlink -n "$2" 2>/dev/null && echo .); then eval "$1=\${value%.}"; else eval "$1="; return 1; fi
}

# A process whose first thread has ended shows its files only under a thread that still lives.
mm=$p
if ! link EXE "$mm/exe"; then
  for task in "$p"/task/*; do
    if link EXE "$task/exe"; then mm=$task; break; fi
  done
fi
link CWD "$mm/cwd"
link ROOT "$mm/root"
DELETED=no
case $EXE in *' (deleted)') [ "$EXE" -ef "$mm/exe" ] || { DELETED=yes; EXE=${EXE%' (deleted)'}; } ;; esac
FDS=
if [ -r "$mm/fd" ]; then
  set -- "$mm"/fd/*
  if [ -e "$1" ] || [ -L "$1" ]; then FDS=$#; else FDS=0; fi
fi
export EXE CWD ROOT DELETED FDS

# The facts about the process, its relatives and the host. It ends with 3 when there is nothing to go on with. mawk gives
# up altogether, with 2, when a relative ends between opening and reading one of its files: then it is run again.
facts() { awk -v pid="$pid" -v mm="$mm" "$ESC"'
function first(path,  line) { line = ""; getline line < path; close(path); return line }
# Fields after the name, which may itself hold spaces, brackets and newlines: [1] is the state, [20] the start time.
function stat_of(who, F,  path, line, last) {
  path = "/proc/" who "/stat"; last = ""
  while ((getline line < path) > 0) last = line
  close(path)
  if (!match(last, /.*\)/)) return 0
  return split(substr(last, RLENGTH + 2), F, " ") >= 20
}
function status_of(who, S,  path, line, k) {
  for (k in S) delete S[k]
  path = "/proc/" who "/status"
  while ((getline line < path) > 0) if (k = index(line, ":")) S[substr(line, 1, k - 1)] = trim(substr(line, k + 1))
  close(path)
  # The kernel writes newline and backslash in this one as \n and \\; bring the name back, esc() does it again.
  S["Name"] = plain(S["Name"])
}
function trim(s) { sub(/^[ \t]+/, "", s); return s }
function plain(s,  out, i, c) {
  out = ""
  for (i = 1; i <= length(s); i++) {
    c = substr(s, i, 1)
    if (c == "\\") { i++; c = substr(s, i, 1); if (c == "n") c = "\n" }
    out = out c
  }
  return out
}
function kib(key) { return (key in me) ? me[key] + 0 : "?" }
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
# Clock ticks are 1/100 s on every architecture that Linux still runs on here (USER_HZ).
function age(ticks,  s) { s = uptime - ticks / 100; return sprintf("%.2f", s < 0 ? 0 : s) }
function bound(list, most, what,  n, A, i, out) {
  n = split(list, A, " "); out = ""
  for (i = 1; i <= n && i <= most; i++) if (A[i] != pid) out = out " " A[i]
  if (n > most) print "not readable: " n - most " of " n " " what " (only " most " are looked at)"
  return out
}
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
# The group of the process in the hierarchy of a controller, or in the unified one for "".
function member(controller,  path, line, n, rest, i, group) {
  path = mm "/cgroup"; group = ""
  while ((getline line < path) > 0) {
    n = index(line, ":"); rest = substr(line, n + 1); i = index(rest, ":")
    if (controller == "" ? substr(line, 1, n) == "0:" && i == 1 : index("," substr(rest, 1, i - 1) ",", "," controller ",")) group = substr(rest, i + 1)
  }
  close(path)
  return group
}
# Where a group is to be found: the hierarchy is mounted on MOUNT, "" when nowhere, and the group is WHERE below it.
function find_group(kind, controller, group,  path, line, A, i, root) {
  # mountinfo: id parent major:minor root mountpoint options [tags] - type source superoptions
  path = "/proc/self/mountinfo"; MOUNT = ""
  while ((getline line < path) > 0) {
    i = index(line, " - " kind " ")
    if (!i) continue
    if (controller != "" && ("," substr(line, i + 3) ",") !~ ("[ ,]" controller ",")) continue
    split(line, A, " "); root = A[4]; MOUNT = A[5]
    if (root == "/") break
  }
  close(path)
  WHERE = group
  if (root != "/" && index(WHERE, root) == 1) WHERE = substr(WHERE, length(root) + 1)
  if (WHERE ~ /\/\.\./) MOUNT = ""
  if (WHERE == "/") WHERE = ""
}
# Frozen groups stay so with all below them; what is to be written where to thaw them stands in the one that was told to.
function frozen_by(told, write, to,  dir) {
  for (dir = WHERE; dir != "" && first(MOUNT dir "/" told) != "1"; ) sub(/\/[^\/]*$/, "", dir)
  print "frozen: write " write " to " esc(MOUNT (dir == "" ? WHERE : dir) "/" to)
}
function freezer(  group, path, line) {
  group = member("freezer")
  if (group != "") {
    find_group("cgroup", "freezer", group)
    if (MOUNT != "" && first(MOUNT WHERE "/freezer.state") == "FROZEN") frozen_by("freezer.self_freezing", "THAWED", "freezer.state")
  }
  group = member("")
  if (group == "") return
  find_group("cgroup2", "", group)
  if (MOUNT == "") return
  path = MOUNT WHERE "/cgroup.events"
  while ((getline line < path) > 0) if (line == "frozen 1") frozen_by("cgroup.freeze", "0", "cgroup.freeze")
  close(path)
}
function cgroup(  path, line, kind, group, where, mount, limit, used, kills, set_on, dir, value) {
  kind = "cgroup"; group = member("memory")
  if (group == "") { kind = "cgroup2"; group = member("") }
  if (group == "") return
  find_group(kind, kind == "cgroup" ? "memory" : "", group)
  mount = MOUNT; where = WHERE
  if (mount == "") { print "cgroup: limit ?, used ?, oom kills ?, " esc(group); return }
  used = first(mount where (kind == "cgroup" ? "/memory.usage_in_bytes" : "/memory.current"))
  path = mount where (kind == "cgroup" ? "/memory.oom_control" : "/memory.events"); kills = ""
  while ((getline line < path) > 0) if (line ~ /^oom_kill /) kills = substr(line, 10)
  close(path)
  # The limit that counts is the smallest on the way up.
  limit = ""; set_on = ""; dir = where
  for (;;) {
    value = first(mount dir (kind == "cgroup" ? "/memory.limit_in_bytes" : "/memory.max"))
    if (value ~ /^[0-9]+$/ && value + 0 < 9000000000000000000 && (limit == "" || value + 0 < limit + 0)) { limit = value; set_on = dir }
    if (dir == "" || dir == "/") break
    sub(/\/[^\/]*$/, "", dir)
  }
  print "cgroup: limit " (limit == "" ? "none" : limit " bytes" (set_on == where ? "" : " set above it")) ", used " (used == "" ? "?" : used " bytes") ", oom kills " (kills == "" ? "?" : kills) ", " esc(group)
}
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

# Which file holds a Python interpreter, if any: a libpython, or the executable itself by its name, or by extension
# modules built for CPython. The kernel writes a newline in a path as \012, so lines stay lines.
if maps=$(awk -v exe="${EXE##*/}" '
  function note(kind, path, range) { if (!(kind in found)) { found[kind] = path; where[kind] = range } }
  (at = index($0, "/")) {
    path = substr($0, at); name = path; sub(/ \(deleted\)$/, "", name); plain = name; sub(/.*\//, "", name)
    if (name ~ /^libpython[23]\.[0-9]+[a-z]*\.so/) note("library", plain, $1)
    if (path ~ /\.cpython-3[0-9]+[a-z]*-/ || path ~ /\/python[23]\.[0-9]+\/lib-dynload\//) note("module", plain, $1)
  }
  END {
    if ("library" in found) print "library " where["library"] " " found["library"]
    else if (exe ~ /^(platform-)?python([23](\.[0-9]+)?)?[a-z]*$/ || "module" in found) print "exe"
    if ("module" in found) print "module " found["module"]
  }' "$mm/maps" 2>/dev/null); then :; else
  echo "not readable: $mm/maps"
fi

# elf: build id and whether it holds .debug_info, of the ELF file on descriptor 3: `<hex or -> <yes or no>`.
elf() {
  awk '
  function load(from, size,  cmd, line, n, i, A, k) {
    cmd = "od -An -v -tu1 -j " from " -N " size " /proc/self/fd/3 2>/dev/null"; k = from
    while ((cmd | getline line) > 0) { n = split(line, A, " "); for (i = 1; i <= n; i++) B[k++] = A[i] + 0 }
    close(cmd)
    return k - from
  }
  function num(at, size,  v, i) {
    v = 0
    if (little) for (i = size - 1; i >= 0; i--) v = v * 256 + B[at + i]
    else for (i = 0; i < size; i++) v = v * 256 + B[at + i]
    return v
  }
  function notes(at, end,  name, desc, kind, i, id) {
    while (at + 12 <= end) {
      name = num(at, 4); desc = num(at + 4, 4); kind = num(at + 8, 4); at += 12
      if (kind == 3 && name == 4 && B[at] == 71 && B[at + 1] == 78 && B[at + 2] == 85 && desc > 0 && desc <= 64) {
        id = ""
        for (i = 0; i < desc; i++) id = id sprintf("%02x", B[at + 4 + i])
        return id
      }
      at += int((name + 3) / 4) * 4 + int((desc + 3) / 4) * 4
    }
    return ""
  }
  BEGIN {
    id = ""; debug = "no"
    if (load(0, 4096) >= 64 && B[0] == 127 && B[1] == 69 && B[2] == 76 && B[3] == 70) {
      wide = (B[4] == 2); little = (B[5] == 1)
      phoff = num(wide ? 32 : 28, wide ? 8 : 4); phsize = num(wide ? 54 : 42, 2); phnum = num(wide ? 56 : 44, 2)
      shoff = num(wide ? 40 : 32, wide ? 8 : 4); shsize = num(wide ? 58 : 46, 2); shnum = num(wide ? 60 : 48, 2); strings = num(wide ? 62 : 50, 2)
      for (k = 0; k < phnum && k < 40 && id == ""; k++) {
        at = phoff + k * phsize
        if (num(at, 4) != 4) continue
        from = num(at + (wide ? 8 : 4), wide ? 8 : 4); size = num(at + (wide ? 32 : 16), wide ? 8 : 4)
        if (size > 4096) size = 4096
        if (from + size > 4096) load(from, size)
        id = notes(from, from + size)
      }
      if (shoff > 0 && shnum > 0 && shnum <= 200 && load(shoff, shnum * shsize) == shnum * shsize) {
        at = shoff + strings * shsize
        from = num(at + (wide ? 24 : 16), wide ? 8 : 4); size = num(at + (wide ? 32 : 20), wide ? 8 : 4)
        if (size > 8192) size = 8192
        load(from, size); text = ""
        for (k = from; k < from + size; k++) text = text (B[k] >= 32 && B[k] < 127 ? sprintf("%c", B[k]) : " ")
        if (text ~ /\.z?debug_info /) debug = "yes"
      }
    }
    print (id == "" ? "-" : id) " " debug
  }'
}
# symbols ID HELD: says yes when the file itself holds debug information or the host has it beside it.
symbols() {
  rest=${1#??}
  if [ "$2" = yes ] || [ -e "/usr/lib/debug/.build-id/${1%"$rest"}/$rest.debug" ]; then echo yes; else echo no; fi
}

id=-
held=no
if [ -n "$EXE" ] && [ -r "$mm/exe" ]; then
  set -- $(elf 2>/dev/null 3<"$mm/exe")
  id=${1:--} held=${2:-no}
  [ "$id" = - ] || echo "executable build id: $id"
fi
module=${maps#*module }
[ "$module" = "$maps" ] || printf 'python module: %s\n' "$module" | awk "$ESC"'NR == 1 { print esc($0) }'
case $maps in
  library*)
    range=${maps#library }
    library=${range#* }
    range=${range%% *}
    library=${library%%
*}
    id=- held=no
    # map_files shows the very file that is mapped, even a deleted one, but only to root.
    for file in "$mm/map_files/$range" "$mm/root$library"; do
      if [ -r "$file" ]; then
        set -- $(elf 2>/dev/null 3<"$file")
        id=${1:--} held=${2:-no}
        break
      fi
    done
    printf 'runtime: python, build id %s, debug information %s, %s\n' "$id" "$(symbols "$id" "$held")" "$library" |
      awk "$ESC"'NR == 1 { print esc($0) }'
    ;;
  exe*)
    export LINE="runtime: python, build id $id, debug information $(symbols "$id" "$held"), "
    awk "$ESC"'BEGIN { print ENVIRON["LINE"] esc(ENVIRON["EXE"]) }'
    ;;
  *) echo "runtime: other" ;;
esac

# Tools, by walking PATH: cheaper than `command -v`, and blind to aliases and functions.
set -f
IFS=:
for tool in strace gdb gcore lsof ss eu-stack ltrace timeout python3 nsenter dmesg journalctl coredumpctl tcpdump perf; do
  for folder in $PATH; do
    case $folder in /*) ;; *) continue ;; esac
    if [ -x "$folder/$tool" ] && ! [ -d "$folder/$tool" ]; then
      echo "tool $tool: $folder/$tool"
      [ "$tool" = python3 ] && python3=$folder/$tool
      break
    fi
  done
done
unset IFS
set +f

# A Python 3.6 or later for our scripts. The distribution's own comes first: it needs no shim to be resolved, and its
# version is in its file's name, so it need not be started to be known.
new_enough() { case ${1##*/} in python3.[6-9] | python3.[1-9][0-9] | platform-python3.[6-9] | platform-python3.[1-9][0-9]) ;; *) return 1 ;; esac; }
for python in /usr/bin/python3 /usr/local/bin/python3 /usr/libexec/platform-python /usr/bin/python3.* /usr/local/bin/python3.* "$python3" ''; do
  [ -n "$python" ] || break
  [ -x "$python" ] || continue
  new_enough "$python" && break
  real=$(readlink -f "$python") && new_enough "$real" && break
  case $python in *python3.*) continue ;; esac
  # A shim or a file of its own: ask it, and take the interpreter that really runs.
  real=$("$python" -I -S -c 'import sys; print(sys.executable if sys.version_info >= (3, 6) else "")' 2>/dev/null </dev/null)
  if [ -n "$real" ] && [ -x "$real" ]; then python=$real; break; fi
done
[ -n "$python" ] && echo "python: $python"
echo 'end'
