# limit.sh BLOCKS COMMAND...: runs it with at most 8 GiB of address space, no core of its own, and no file of more than
# BLOCKS of 512 bytes (`unlimited` for what writes cores, which looks after the disk itself).
ulimit -c 0
ulimit -f "$1" || exit 125
# The shell that reads requests has a lower soft limit of its own.
ulimit -S -v 8388608
ulimit -H -v 8388608
shift
exec "$@"
