# Part of identify.sh: what this host has to look with.

# Tools, by walking PATH: cheaper than `command -v`, and blind to aliases and functions.
set -f
IFS=:
for tool in strace gdb gcore lsof ss eu-stack ltrace timeout python3 nsenter dmesg journalctl coredumpctl tcpdump perf; do
  for folder in $PATH; do
    case $folder in /*) ;; *) continue ;; esac
    if [ -x "$folder/$tool" ] && ! [ -d "$folder/$tool" ]; then
      echo "tool $tool: $folder/$tool"
      [ "$tool" = python3 ] && python3=$folder/$tool
      break
    fi
  done
done
unset IFS
set +f

# A Python 3.6 or later for our scripts. The distribution's own comes first: it needs no shim to be resolved, and its
# version is in its file's name, so it need not be started to be known.
new_enough() { case ${1##*/} in python3.[6-9] | python3.[1-9][0-9] | platform-python3.[6-9] | platform-python3.[1-9][0-9]) ;; *) return 1 ;; esac; }
for python in /usr/bin/python3 /usr/local/bin/python3 /usr/libexec/platform-python /usr/bin/python3.* /usr/local/bin/python3.* "$python3" ''; do
  [ -n "$python" ] || break
  [ -x "$python" ] || continue
  new_enough "$python" && break
  real=$(readlink -f "$python") && new_enough "$real" && break
  case $python in *python3.*) continue ;; esac
  # A shim or a file of its own: ask it, and take the interpreter that really runs.
  real=$("$python" -I -S -c 'import sys; print(sys.executable if sys.version_info >= (3, 6) else "")' 2>/dev/null </dev/null)
  if [ -n "$real" ] && [ -x "$real" ]; then python=$real; break; fi
done
[ -n "$python" ] && echo "python: $python"
