#!/bin/sh
# Headers of the TCP packets of one process: tcpdump.sh PID WINDOW_SECONDS MAX_PACKETS
#
# Only its own connections (by local port), in its own network namespace, not promiscuous, and no more of a packet than
# its headers: 96 bytes are taken, and whatever tcpdump would say of what the packet carries is cut off here.
LC_ALL=C
PATH=$PATH:/usr/bin:/bin:/usr/sbin:/sbin
export LC_ALL PATH

pid=$1
window=$2
most=$3
case $# in 3) ;; *) echo "usage: tcpdump.sh PID WINDOW_SECONDS MAX_PACKETS" >&2; exit 64 ;; esac
case $1$3 in *[!0-9]*) echo "tcpdump.sh: arguments are numbers" >&2; exit 64 ;; esac
case $2 in *[!0-9.]*) echo "tcpdump.sh: arguments are numbers" >&2; exit 64 ;; esac

[ -d "/proc/$pid" ] || { echo "== gone: no process $pid"; exit 3; }
[ -r "/proc/$pid/fd" ] && ls "/proc/$pid/fd" >/dev/null 2>&1 || { echo "== denied: /proc/$pid/fd"; exit 4; }

inside=
theirs=$(readlink "/proc/$pid/ns/net" 2>/dev/null)
[ -n "$theirs" ] && [ "$theirs" != "$(readlink /proc/self/ns/net)" ] && inside="nsenter -t $pid -n"

# Local ports of its connections, at most 60: /proc/PID/net/tcp writes them in hex, with the socket's inode.
ports=$({
  ls -lq "/proc/$pid/fd" 2>/dev/null || ls -l "/proc/$pid/fd" 2>/dev/null
  cat "/proc/$pid/net/tcp" "/proc/$pid/net/tcp6" 2>/dev/null
} | awk '
  function hex(text,   i, value) {
    for (i = 1; i <= length(text); i++) value = value * 16 + index("0123456789ABCDEF", toupper(substr(text, i, 1))) - 1
    return value
  }
  / -> socket:\[[0-9]+\]$/ { inode = $NF; gsub(/[^0-9]/, "", inode); own[inode]; next }
  $1 ~ /^[0-9]+:$/ && ($10 in own) && $4 != "0A" {
    at = $2; sub(/^.*:/, "", at); port = hex(at)
    if (!(port in seen) && ++n <= 60) { seen[port]; printf "%s%d", (n > 1 ? " " : ""), port }
  }')
[ -n "$ports" ] || { echo "== none: it has no TCP connection"; exit 0; }
echo "== ports $ports"
filter="tcp and (port $(echo "$ports" | sed 's/ / or port /g'))"

# shellcheck disable=SC2086
timeout -s INT -k 1 "$window" $inside tcpdump -i any -p -nn -tt -S -l -s 96 -c "$most" "$filter" 2>&1 |
  awk '
    / IP6? / && / Flags \[/ {
      if (match($0, / length [0-9]+/)) $0 = substr($0, 1, RSTART + RLENGTH - 1)
      print substr($0, 1, 400)
      fflush()
      next
    }
    /^[0-9]+ packets? captured/ { captured = $1 }
    /^[0-9]+ packets? dropped by kernel/ { dropped = $1 }
    /permission|not permitted/ { denied = 1 }
    END {
      if (denied) print "== denied: tcpdump needs root"
      else if (captured == "") print "== failed"
      else print "== end: captured " captured ", dropped " dropped + 0
    }'
