# Part of identify.sh: which file holds a Python interpreter, if any, and what is known of it: only then can stacks be read.

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
