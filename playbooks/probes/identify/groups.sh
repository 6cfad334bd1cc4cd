# Part of identify.sh: control groups of both versions, in awk, CONTROL_GROUPS: the memory that the process may have, and whether
# it is frozen. A process may see only a part of the hierarchy, so where a group lies is taken from the mounts.

CONTROL_GROUPS='
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
'
