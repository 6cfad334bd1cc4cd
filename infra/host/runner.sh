#!/bin/sh
# The one command that the account may run as root (sudoers(5) allows it by this path and without arguments). It takes
# nothing from whoever calls it: no argument, no environment, only requests on standard input, which serve.sh checks.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
KIT=@PREFIX@/kit-@VERSION@
export PATH
[ $# = 0 ] || { echo "straceback: this command takes no arguments" >&2; exit 64; }
[ "$(id -u)" = 0 ] || { echo "straceback: this command runs as root, through sudo" >&2; exit 77; }
cd / || exit 1
. @PREFIX@/settings
within=
if [ "$CGROUP" = yes ]; then
  within="systemd-run --quiet --scope --collect -p MemoryMax=4G -p TasksMax=512 -p CPUWeight=50"
fi
idle=
! command -v ionice >/dev/null 2>&1 || idle='ionice -c 2 -n 7'
# No session is longer than two hours; what it runs is ended with it.
exec /usr/bin/env -i PATH="$PATH" HOME=/nonexistent LC_ALL=C.UTF-8 \
  $within nice -n 5 $idle timeout -k 10 7200 /bin/sh "$KIT/serve.sh" "$KIT"
