# Part of identify.sh: what an ELF file says of itself. The host may have no tool that reads them, and od is everywhere.

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
