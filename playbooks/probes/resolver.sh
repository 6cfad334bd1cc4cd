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

# An absolute link inside of the process's root means a file there, not one of the host.
inside() {
  file=$root$1
  turns=0
  while [ -L "$file" ] && [ "$turns" -lt 5 ]; do
    link=$(readlink "$file")
    case $link in
      /*) file=$root$link ;;
      *) file=${file%/*}/$link ;;
    esac
    turns=$((turns + 1))
  done
  [ -f "$file" ] && [ -r "$file" ]
}

# Bounded, only lines of the given kinds, control characters made visible.
show() {
  head -c 16384 "$file" | tr -c '\n\040-\176' '?' | awk -v name="$1" -v kinds="$2" '
    $1 ~ kinds { print name ": " substr($0, 1, 400); if (++n == 40) exit }'
}

echo "== resolver of process $pid"
if inside /etc/resolv.conf; then
  where=${file#"$root"}
  echo "file: $(printf '%s' "$where" | tr -c '\040-\176' '?' | cut -c1-200)"
  show resolv.conf '^(nameserver|search|domain|options|sortlist)$'
else
  echo "file: none"
fi
if inside /etc/nsswitch.conf; then show nsswitch.conf '^hosts:'; fi
tr '\000' '\n' 2>/dev/null <"/proc/$pid/environ" | awk '
  /^RES_OPTIONS=/ { gsub(/[^ -~]/, "?"); print "environment: " substr($0, 1, 300); exit }'
for socket in /var/run/nscd/socket /run/nscd/socket; do
  [ -S "$root$socket" ] && { echo "cache: nscd"; break; }
done
[ -S "$root/run/systemd/resolve/io.systemd.Resolve" ] && echo "cache: systemd-resolved"
# The servers behind systemd-resolved's own address.
if grep -qs '^nameserver 127\.0\.0\.5[34]' "$root/etc/resolv.conf" && inside /run/systemd/resolve/resolv.conf; then
  show upstream '^nameserver$'
fi
echo "== end"
