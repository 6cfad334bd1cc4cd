# What this host still knows of a process that has gone. Usage: sh end.sh PID UNIT ('' when not known).
# Lines of `label text`; the journal's are JSON. Asks systemd and the folder of cores, each for a few seconds at most.

LC_ALL=C
PATH=${PATH:+$PATH:}/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
pid=$1 unit=$2
case $pid in '' | *[!0-9]*) echo "usage: end.sh PID UNIT" >&2; exit 2 ;; esac

limited() { if command -v timeout >/dev/null 2>&1; then timeout "$@"; else shift; "$@"; fi; }
labelled() { tr '\000-\010\013-\037\177' '?' | sed "s/^/$1 /"; }

echo "end-of $pid"
if command -v journalctl >/dev/null 2>&1; then
  # The last thing that it said names its unit and command line; systemd-coredump writes the signal.
  limited 4 journalctl -q -b --no-pager -o json -n 1 "_PID=$pid" 2>/dev/null | head -c 20000 | labelled said
  limited 4 journalctl -q -b --no-pager -o json -n 1 "COREDUMP_PID=$pid" 2>/dev/null | head -c 20000 | labelled dumped
  # Of a service that was started again systemd keeps only the new main process; its own words tell how the last one ended.
  case $unit in
    '' | -* | *[!A-Za-z0-9:_.@\\-]*) ;;
    *)
      limited 4 journalctl -q -b --no-pager -o json -n 5 "UNIT=$unit" EXIT_CODE=exited + "UNIT=$unit" EXIT_CODE=killed + "UNIT=$unit" EXIT_CODE=dumped 2>/dev/null |
        head -c 40000 | labelled exited
      ;;
  esac
fi
if command -v systemctl >/dev/null 2>&1; then
  # A service that has ended keeps the process id of its last main process.
  limited 4 systemctl show --no-pager -p Id,MainPID,ExecMainPID,ExecMainCode,ExecMainStatus,ExecMainExitTimestamp,Result,ActiveState,NRestarts '*.service' 2>/dev/null |
    awk -v pid="$pid" -v unit="$unit" '
      function flush() { if (text != "" && (wanted || (unit != "" && id == unit))) { printf "%s", text; print "service end" } text = ""; wanted = 0; id = "" }
      $0 == "" { flush(); next }
      { text = text "service " $0 "\n" }
      $0 == "ExecMainPID=" pid { wanted = 1 }
      /^Id=/ { id = substr($0, 4) }
      END { flush() }' | head -c 20000
fi
pattern=
read -r pattern </proc/sys/kernel/core_pattern
case $pattern in
  /*%[pP]*) folder=${pattern%/*} ;;
  *) folder= ;;
esac
case $folder in
  '' | *%*) ;;
  *)
    echo "pattern $pattern"
    for core in "$folder"/*"$pid"*; do
      [ -f "$core" ] && printf 'core %s\n' "${core##*/}" | tr '\000-\010\013-\037\177' '?'
    done | head -n 50
    ;;
esac
echo 'end'
