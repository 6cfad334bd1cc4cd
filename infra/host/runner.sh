#!/bin/sh
# The one command that the account may run as root (sudoers(5) allows it by this path and without arguments). It takes
# nothing from whoever calls it: no argument, no environment, only requests on standard input, which serve.sh checks.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
KIT=@PREFIX@/kit-@VERSION@
export PATH
[ $# = 0 ] || { echo "straceback: this command takes no arguments" >&2; exit 64; }
[ "$(id -u)" = 0 ] || { echo "straceback: this command runs as root, through sudo" >&2; exit 77; }
cd / || exit 1
# Whoever calls this may have set limits that root may lift, or signals to be ignored, which could leave a process stopped.
for limit in f t d v m; do ulimit -H -$limit unlimited && ulimit -S -$limit unlimited; done 2>/dev/null
{ ulimit -H -n 4096 && ulimit -S -n 1024; } 2>/dev/null
signals=
! env --default-signal true 2>/dev/null || signals=--default-signal
# Out of reach of a terminal, whose keys stop and end what runs on it.
session=
! setsid -w true 2>/dev/null || session='setsid -w'
. @PREFIX@/settings
within=
if [ "$CGROUP" = yes ]; then
  within="systemd-run --quiet --scope --collect -p MemoryMax=4G -p TasksMax=512 -p CPUWeight=50"
fi
idle=
! command -v ionice >/dev/null 2>&1 || idle='ionice -c 2 -n 7'
# No session is longer than two hours; what it runs is ended with it.
exec /usr/bin/env -i $signals PATH="$PATH" HOME=/nonexistent LC_ALL=C.UTF-8 \
  $session $within nice -n 5 $idle timeout -k 10 7200 /bin/sh "$KIT/serve.sh" "$KIT"
