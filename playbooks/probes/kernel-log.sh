# The kernel's own words about processes that it killed, that crashed, or that hang: lines of its log, as they are.
# Usage: sh kernel-log.sh. Asks dmesg, else the journal, else the log files; needs root on most distributions.

LC_ALL=C
PATH=${PATH:+$PATH:}/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
most=500
# Messages of mm/oom_kill.c, mm/memcontrol.c, arch/*/mm/fault.c, arch/*/kernel/traps.c and kernel/hung_task.c.
wanted='oom-kill:constraint=|ut of memory|Killed process [0-9]|killed as a result of limit of|\]: segfault at |\]:? general protection|\] trap [a-z0-9 ]+ ip:|\]: unhandled |blocked( in I/O wait)? for more than [0-9]+ seconds'

limited() { if command -v timeout >/dev/null 2>&1; then timeout "$@"; else shift; "$@"; fi; }
# Control characters could reach the log in a process's name; a line of the log stays one line of text.
relevant() { grep -a -E "$wanted" | tail -n $most | tr '\000-\010\013-\037\177' '?'; }

echo 'kernel-log 1'
sed -n 's/^btime /booted at: /p' /proc/stat
echo "zone: $(date +%z)"

# Absolute times need util-linux; BusyBox knows only seconds since boot.
source=
if log=$(limited 5 dmesg --time-format iso 2>/dev/null) || log=$(limited 5 dmesg 2>/dev/null); then
  if [ -n "$log" ]; then
    source=dmesg
    lines=$(printf '%s\n' "$log" | relevant)
  fi
fi
log=
# The kernel's buffer may have run over, so an empty answer is not yet an answer.
if [ -z "$lines" ] && command -v journalctl >/dev/null 2>&1; then
  log=$(limited 5 journalctl -k -q -o short-iso --no-pager -n 5000 2>/dev/null)
  if [ -n "$log" ]; then
    more=$(printf '%s\n' "$log" | relevant)
    if [ -z "$source" ] || [ -n "$more" ]; then source=journal lines=$more; fi
  fi
fi
if [ -z "$source" ]; then
  for file in /var/log/kern.log /var/log/messages /var/log/syslog; do
    [ -r "$file" ] && [ -s "$file" ] || continue
    source=file
    lines=$(tail -c 4000000 "$file" | grep -a ' kernel: ' | relevant)
    break
  done
fi
if [ -z "$source" ]; then
  echo "not readable: the kernel's log (user $(id -u) may read neither dmesg nor the journal nor /var/log/kern.log)"
  exit 0
fi
echo "source: $source"
[ -z "$lines" ] || printf '%s\n' "$lines"
echo 'end'
