# Part of identify.sh: what a process chose, as words on one line. Awk's functions, as all that is read here is written in awk:
# ESC for all of them.

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
