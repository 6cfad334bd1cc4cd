# Part of serve.sh: what this host has to look with, and what on it is never touched. Asked of the host itself: no request says
# where a program is.

# What this session itself runs in: to stop one of them is to stop the look.
a_above=" $$"
a_at=$$
while [ "$a_at" -gt 1 ]; do
  a_parent=0
  while read -r a_key a_value _; do [ "$a_key" != PPid: ] || a_parent=$a_value; done <"/proc/$a_at/status"
  a_at=$a_parent
  a_above="$a_above $a_at"
done
a_above="$a_above "

# Whether nobody but root could put another program at a path without links, or change what it loads.
a_of_root() {
  a_at=$1
  set -- "${1%/bin/*}/lib"
  [ -e "$1" ] || set --
  while [ -n "$a_at" ]; do
    set -- "$@" "$a_at"
    a_at=${a_at%/*}
  done
  [ -z "$(find "$@" / -maxdepth 0 ! -type l \( ! -user root -o -perm -020 -o -perm -002 \) 2>&1)" ]
}

a_python=
for a_file in /usr/bin/python3 /usr/libexec/platform-python /usr/local/bin/python3; do
  [ -x "$a_file" ] || continue
  a_real=$(readlink -f "$a_file")
  case ${a_real##*/} in
    python3.[6-9] | python3.[1-9][0-9] | platform-python3.[6-9] | platform-python3.[1-9][0-9]) a_of_root "$a_real" && a_of_root "${a_file%/*}" || continue ;;
    *) continue ;;
  esac
  a_python=$a_real
  break
done

# a_tool NAME: where it is, or `-`
a_tool() { command -v "$1" || echo -; }
