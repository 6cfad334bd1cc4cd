# Part of runner.sh: the answers. One shell writes all frames, so that two never mix; as it outlives whatever ends the session,
# it clears up too.

# The one writer of frames; reads the numbers of steps that are done. Its input ends when the shell and all steps have
# ended, in whatever way, so it is also the one that clears up. No signal that comes with the end of a session stops it:
# such a signal may have ended the shells of steps whose tools still run.
sb_emit() {
  trap '' PIPE HUP INT TERM
  while read -r q; do
    how=exited code=125 ms=0 osize=0 orest=0 esize=0 erest=0
    read -r how code ms <"$D/$q.end"
    read -r osize orest <"$D/$q.out.size"
    read -r esize erest <"$D/$q.err.size"
    printf '\n%s step %s %s %s %s %s %s %s %s\n' "$N" "$q" "$how" "$code" "$ms" "$osize" "$orest" "$esize" "$erest"
    if [ "$osize$esize" != 00 ]; then
      cat "$D/$q.out" "$D/$q.err"
      : >"$D/$q.out"
      : >"$D/$q.err"
    fi
    : >"$D/$q.live"
  done
  all=
  if sb_any_live; then
    all=killed
    sb_kill_running KILL
  fi
  set +f
  for file in "$D"/ptraced.*; do
    set -f
    how=$all
    [ ! -s "$file" ] || how=killed
    sb_continue "${file##*.}" "$how"
  done
  cd / && rm -rf "$D"
}
