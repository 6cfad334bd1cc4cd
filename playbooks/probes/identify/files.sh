# Part of identify.sh: reading files of /proc in awk, FILES. One that is not there reads as empty: processes end at any moment.

FILES='
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
# Clock ticks are 1/100 s on every architecture that Linux still runs on here (USER_HZ).
function age(ticks,  s) { s = uptime - ticks / 100; return sprintf("%.2f", s < 0 ? 0 : s) }
'
