#!/bin/sh
# How one process resolves names: resolver.sh PID
#
# Prints the lines of resolv.conf(5) and nsswitch.conf(5) that the C library reads, as the process sees these files, each
# behind the name of its file; and which caches answer beside them. Other lines of those files are not printed.
LC_ALL=C
PATH=$PATH:/usr/bin:/bin:/usr/sbin:/sbin
export LC_ALL PATH

pid=$1
case $# in 1) ;; *) echo "usage: resolver.sh PID" >&2; exit 64 ;; esac
case $pid in '' | *[!0-9]*) echo "resolver.sh: the pid is a number" >&2; exit 64 ;; esac
[ -d "/proc/$pid" ] || { echo "== gone: no process $pid"; exit 3; }
root=/proc/$pid/root
[ -r "$root/" ] || { echo "== denied: $root"; exit 4; }

# Where a path leads inside of the process's root: `file` is it as seen from here, for any kind of file. Each part is looked at
# for itself, because the kernel would follow an absolute link (/var/run -> /run) to the host's folder, and one that leads up
# (../..) out of the root, path_resolution(7). What the process makes of its links meanwhile can at worst have another file's
# lines of these kinds shown.
inside() {
  rest=${1#/} file=$root turns=0
  while [ -n "$rest" ]; do
    part=${rest%%/*}
    case $rest in */*) rest=${rest#*/} ;; *) rest= ;; esac
    case $part in
      '' | .) continue ;;
      ..) [ "$file" = "$root" ] || file=${file%/*}; continue ;;
    esac
    if [ -L "$file/$part" ]; then
      turns=$((turns + 1))
      [ "$turns" -le 40 ] || return 1
      link=$(readlink "$file/$part") || return 1
      case $link in /*) file=$root ;; esac
      [ "${#link}" -le 4096 ] || return 1
      rest=$link${rest:+/$rest}
    else
      file=$file/$part
    fi
  done
}
readable() { inside "$1" && [ -f "$file" ] && [ -r "$file" ]; }

# Bounded, only lines of the given kinds, control characters made visible.
show() {
  head -c 16384 "$file" | tr -c '\n\040-\176' '?' | awk -v name="$1" -v kinds="$2" '
    $1 ~ kinds { print name ": " substr($0, 1, 400); if (++n == 40) exit }'
}

echo "== resolver of process $pid"
if readable /etc/resolv.conf; then
  where=${file#"$root"}
  echo "file: $(printf '%s' "$where" | tr -c '\040-\176' '?' | cut -c1-200)"
  show resolv.conf '^(nameserver|search|domain|options|sortlist)$'
else
  echo "file: none"
fi
if readable /etc/nsswitch.conf; then show nsswitch.conf '^hosts:'; fi
tr '\000' '\n' 2>/dev/null <"/proc/$pid/environ" | awk '
  /^RES_OPTIONS=/ { gsub(/[^ -~]/, "?"); print "environment: " substr($0, 1, 300); exit }'
for socket in /var/run/nscd/socket /run/nscd/socket; do
  inside "$socket" && [ -S "$file" ] && { echo "cache: nscd"; break; }
done
inside /run/systemd/resolve/io.systemd.Resolve && [ -S "$file" ] && echo "cache: systemd-resolved"
# The servers behind systemd-resolved's own address.
if readable /etc/resolv.conf && head -c 16384 "$file" | grep -q '^nameserver 127\.0\.0\.5[34]' && readable /run/systemd/resolve/resolv.conf; then
  show upstream '^nameserver$'
fi
echo "== end"
