# The reduced form of memory.py for hosts without a Python: counters and sums, and no division by kind of mapping.
# Usage: sh memory.sh PID START_TIME SECONDS. Needs awk, sed, sleep.

LC_ALL=C
PATH=${PATH:+$PATH:}/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
pid=$1 start=$2 seconds=$3
p=/proc/$pid

# Fields of stat behind the name, which may hold anything: state, ppid, ... (proc_pid_stat(5)).
fields() {
  stat=$(cat "$p/stat" 2>/dev/null) || return 1
  # shellcheck disable=SC2086
  set -- ${stat##*)}
  [ "${20}" = "$start" ] || return 1
  case $1 in Z | X) return 1 ;; esac
  minor=$8 major=${10}
}

gone() {
  echo "gone: process $pid has ended, is being ended, or is another one"
  exit 0
}

uptime() { read -r now _ </proc/uptime; }

status() {
  awk -v form="$1" '
    /^(VmRSS|RssAnon|RssFile|RssShmem|VmSwap|VmHWM|VmPTE):/ { v[substr($1, 1, length($1) - 1)] = $2 }
    function of(name) { return name in v ? v[name] : "?" }
    END {
      if (form == "counters") printf "resident %s, anonymous %s, file %s, shared %s, swapped %s, peak %s, page tables %s\n", of("VmRSS"), of("RssAnon"), of("RssFile"), of("RssShmem"), of("VmSwap"), of("VmHWM"), of("VmPTE")
      else printf "resident %s, anonymous %s, shared %s, swapped %s", of("VmRSS"), of("RssAnon"), of("RssShmem"), of("VmSwap")
    }' "$p/status" 2>/dev/null
}

group=
while IFS=: read -r id names path; do
  case ,$names, in
    *,memory,*) [ -r "/sys/fs/cgroup/memory$path/memory.usage_in_bytes" ] && group=/sys/fs/cgroup/memory$path ;;
    ,,) [ "$id" = 0 ] && [ -r "/sys/fs/cgroup$path/memory.current" ] && group=/sys/fs/cgroup$path ;;
  esac
done 2>/dev/null <"$p/cgroup"

# A number in a file, `?` where there is none or no limit.
number() {
  value=
  for file in "$@"; do
    if [ -r "$file" ]; then read -r value <"$file"; break; fi
  done 2>/dev/null
  case $value in '' | *[!0-9]* | ???????????????????*) value='?' ;; esac
}

pressure() {
  [ -r "$2" ] && awk -v label="$1" '{ for (i = 2; i <= NF; i++) if ($i ~ /^total=/) v[$1] = substr($i, 7) }
    END { if ("some" in v) printf "%s: some %s us, full %s us\n", label, v["some"], "full" in v ? v["full"] : "?" }' "$2" 2>/dev/null
}

reading() {
  fields || gone
  echo "$1 counters: $(status counters)"
  echo "$1 faults: minor $minor, major $major"
  awk -v label="$1" '/^(pswpin|zswpin|swpin_zero) / { in_ += $2 }
    /^(pswpout|zswpout|swpout_zero) / { out += $2 }
    $1 == "pgmajfault" { major = $2; seen = 1 }
    END { if (seen) printf "%s host: pages swapped in %.0f, out %.0f, major faults %.0f\n", label, in_, out, major }' /proc/vmstat 2>/dev/null
  awk -v label="$1" '/^(MemTotal|MemAvailable|SwapTotal|SwapFree):/ { v[$1] = $2 }
    function of(name) { return (name in v) ? v[name] : "?" }
    END { printf "%s host memory: total %s, available %s, swap %s, swap free %s\n", label, of("MemTotal:"), of("MemAvailable:"), of("SwapTotal:"), of("SwapFree:") }' /proc/meminfo 2>/dev/null
  pressure "$1 pressure" /proc/pressure/memory
  if [ -n "$group" ]; then
    pressure "$1 pressure group" "$group/memory.pressure"
    number "$group/memory.current" "$group/memory.usage_in_bytes"; used=$value
    number "$group/memory.max" "$group/memory.limit_in_bytes"; most=$value
    number "$group/memory.swap.current"
    echo "$1 group: used $used bytes, limit $most bytes, swap $value bytes"
  fi
  [ "$1" = end ] && awk '/^[A-Za-z_]+: +[0-9]+ kB$/ { v[$1] = $2 }
    function of(name) { return (name in v) ? v[name] : 0 }
    END { if ("Rss:" in v) printf "end rollup: resident %s, proportional %s, written %s, anonymous %s, lazily freed %s, huge pages %s, swapped %s\n", of("Rss:"), of("Pss:"), of("Private_Dirty:"), of("Anonymous:"), of("LazyFree:"), of("AnonHugePages:"), of("Swap:") }' "$p/smaps_rollup" 2>/dev/null
  return 0
}

echo 'memory 1'
fields || gone
[ "$(status '')" = 'resident ?, anonymous ?, shared ?, swapped ?' ] && gone
echo 'read: sums'
pause=$(awk -v seconds="$seconds" 'BEGIN { printf "%.2f", seconds / 8 }')
sleep 0.01 2>/dev/null || pause=1
reading begin
uptime; first=$now
while :; do
  sleep "$pause"
  uptime
  passed=$(awk -v from="$first" -v to="$now" 'BEGIN { printf "%.2f", to - from }')
  [ "$(awk -v passed="$passed" -v seconds="$seconds" 'BEGIN { print (passed >= seconds - 0.02) }')" = 1 ] && break
  fields || gone
  echo "at $passed s: $(status ''), major faults $major"
done
reading end
echo "done: $passed s between the readings"
