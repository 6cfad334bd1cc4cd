#!/bin/sh
# Has a CPython process count its own objects: pyrasite.sh PID START-TIME SECONDS PYTHON GUARD SCRIPT
#
# SECONDS is how long it is watched before, to refuse one that spins or is blocked. What decides, asks and waits is SCRIPT.
# Lines that begin with "== " are this script's and that one's.
pid=$1
start=$2
seconds=$3
python=$4
script=$6
case $# in 6) ;; *) echo "usage: pyrasite.sh PID START-TIME SECONDS PYTHON GUARD SCRIPT" >&2; exit 64 ;; esac
case $1$2 in *[!0-9]*) echo "pyrasite.sh: PID and START-TIME are numbers" >&2; exit 64 ;; esac
. "$5"
guard
[ -n "$(command -v "$python")" ] || { echo "== missing: python"; exit 127; }

umask 077
# The name of the folder where it and the process meet, in whichever of these both see (pyrasite_guard.py).
name=straceback-figures-$(od -An -tx1 -N8 /dev/urandom | tr -d ' \n')
clean() { rm -rf "/tmp/$name" "/dev/shm/$name" "/run/$name"; }
# A look that is cancelled kills this script: what it left behind is then removed by a shell that ends with it in any case. A request
# whose file is gone does nothing.
if command -v setsid >/dev/null 2>&1; then
  setsid sh -c '
    began() { sed "s/.*) //" "/proc/$1/stat" 2>/dev/null | cut -d" " -f20; }
    while [ "$(began "$1")" = "$2" ]; do sleep 0.2 2>/dev/null || sleep 1; done
    rm -rf "/tmp/$3" "/dev/shm/$3" "/run/$3"
  ' sh "$$" "$(sed 's/.*) //' "/proc/$$/stat" | cut -d' ' -f20)" "$name" </dev/null >/dev/null 2>&1 &
fi
"$python" -I -S -B "$script" "$pid" "$start" "$seconds" "$name"
code=$?
clean
report_after
exit $code
