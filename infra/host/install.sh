#!/bin/sh
# Prepares this host for Straceback: an account that can do nothing but look at processes.
#
#   sh install.sh --key FILE [--user NAME] [--prefix FOLDER] [--keep FOLDER] [--from PATTERNS] [--allow IMPACTS]
#   sh install.sh --check    [--user NAME] [--prefix FOLDER]
#   sh install.sh --remove   [--user NAME] [--prefix FOLDER]
#
# --key     public keys that may log in, one a line
# --user    the account, `straceback` when left out
# --prefix  where the runner goes, /usr/local/lib/straceback when left out
# --keep    where cores are kept, /var/lib/straceback when left out
# --from    addresses that may log in, as for `from=` of sshd(8): 10.0.0.7,10.1.*
# --allow   what looks may do to a process: of none,slows,stops,writes-disk,risks-death; all but the last when left out
#
# May be run again at any time: for another version, other keys or other settings. A setting that is left out then stays.

PATH=/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL
umask 022
HERE=$(cd "$(dirname "$0")" && pwd) || exit 1

fail() {
  echo "install.sh: $1" >&2
  exit "${2:-1}"
}

user=straceback prefix=/usr/local/lib/straceback keep= key= from= allow= what=install
while [ $# -gt 0 ]; do
  case $1 in
    --check) what=check ;;
    --remove) what=remove ;;
    --user | --prefix | --keep | --key | --from | --allow)
      [ $# -ge 2 ] || fail "$1 needs a value." 64
      case $1 in
        --user) user=$2 ;;
        --prefix) prefix=$2 ;;
        --keep) keep=$2 ;;
        --key) key=$2 ;;
        --from) from=$2 ;;
        --allow) allow=$2 ;;
      esac
      shift
      ;;
    *) fail "\"$1\" is not understood; the beginning of this file says what is." 64 ;;
  esac
  shift
done

[ "$(id -u)" = 0 ] || fail 'run this as root: it makes an account and a sudo rule.' 77
case $user in
  '' | [!a-z_]* | *[!a-z0-9_-]* | root) fail "\"$user\" is no name for the account: small letters, digits, _ and -." 64 ;;
esac
[ ${#user} -le 31 ] || fail 'the name of the account has at most 31 characters.' 64
is_folder() {
  case $1 in [!/]* | / | *[!A-Za-z0-9/._-]* | *//* | */ | */../* | */.. | */./* | */.) return 1 ;; esac
}
is_folder "$prefix" || fail "--prefix is an absolute path of letters, digits, . _ and -." 64
[ -z "$keep" ] || is_folder "$keep" || fail "--keep is an absolute path of letters, digits, . _ and -." 64
case $from in *[!A-Za-z0-9.:,*?/!_-]*) fail '--from is a list of addresses, separated by commas.' 64 ;; esac
rules=/etc/sudoers.d/$user
keys=$prefix/home/.ssh/authorized_keys

# Whether somebody besides root could change what is at a path, or put something else there.
only_root() {
  at=$1
  while :; do
    ls -ldn "$at" 2>/dev/null | awk '
      { open = substr($1, 6, 1) == "w" || substr($1, 9, 1) == "w"; sticky = substr($1, 10, 1) ~ /[tT]/
        exit $3 == 0 && (substr($1, 1, 1) == "l" || !open || (sticky && NR == 1)) ? 0 : 1 }
      END { if (NR == 0) exit 1 }' || return 1
    [ "$at" != / ] || return 0
    at=${at%/*}
    at=${at:-/}
  done
}

shell_of() { awk -F: -v user="$user" '$1 == user { print $7 }' /etc/passwd; }

# --- remove ---

remove() {
  [ "$(shell_of)" = "$prefix/login" ] || [ ! -e "$prefix/settings" ] || [ -z "$(shell_of)" ] ||
    fail "$user was not made for $prefix; give the --user and --prefix that it was installed with."
  # It is read as a script, below.
  [ ! -e "$prefix/settings" ] || only_root "$prefix/settings" ||
    fail "somebody besides root could change $prefix/settings; look at it, give it and $prefix to root alone, and remove again."
  rm -f "$rules"
  if [ "$(shell_of)" = "$prefix/login" ]; then
    userdel "$user" 2>/dev/null || userdel -f "$user" 2>/dev/null || fail "the account $user could not be removed; see who is logged in."
  fi
  if [ -e "$prefix/settings" ]; then
    KEEP=
    . "$prefix/settings"
    rm -rf "$prefix"
    # Cores are for people to remove.
    if [ -n "$KEEP" ] && [ -d "$KEEP" ]; then
      rmdir "$KEEP/cores" 2>/dev/null
      rmdir "$KEEP" 2>/dev/null || echo "Cores are left in $KEEP."
    fi
  fi
  echo "Removed: account $user, its sudo rule and $prefix."
}

# --- check ---

check() {
  faults=0
  wrong() {
    echo "wrong: $1"
    faults=$((faults + 1))
  }
  [ "$(shell_of)" = "$prefix/login" ] || wrong "the account $user is not there, or has another shell than $prefix/login."
  case $(awk -F: -v user="$user" '$1 == user { print $2 }' /etc/shadow 2>/dev/null) in
    '*' | '!'*) ;;
    *) wrong "the account $user has a password." ;;
  esac
  for file in runner login settings "kit-$(cat "$prefix/version" 2>/dev/null)/serve.sh"; do
    [ -f "$prefix/$file" ] || { wrong "$prefix/$file is missing."; continue; }
    only_root "$prefix/$file" || wrong "somebody besides root could change $prefix/$file."
  done
  others=$(find "$prefix" \( ! -user root -o -perm -020 -o -perm -002 \) ! -type l 2>/dev/null | head -n 1)
  [ -z "$others" ] || wrong "somebody besides root could change $others."
  [ -s "$keys" ] || wrong "$keys is missing: nobody can log in."
  if [ -s "$keys" ] && grep -v '^#' "$keys" | grep -v -q '^restrict,'; then
    wrong "$keys has a key without \"restrict\"."
  fi
  [ -f "$rules" ] && only_root "$rules" && visudo -c -q -f "$rules" || wrong "the sudo rule $rules is missing or not valid."
  sudo -n -l -U "$user" 2>/dev/null | grep -q "NOPASSWD: $prefix/runner \"\"" ||
    wrong "sudo does not read $rules; see that /etc/sudoers has \"@includedir /etc/sudoers.d\"."
  [ "$(sudo -n -l -U "$user" 2>/dev/null | grep -c '^ *(')" -le 1 ] || wrong "sudo allows $user more than the runner."
  if [ $faults -eq 0 ]; then
    . "$prefix/settings"
    echo "Ready: account $user, runner version $(cat "$prefix/version"), looks may have the impacts: $ALLOW; cores go to $KEEP."
  fi
  return $((faults > 0))
}

# --- install ---

# Keys without their options and comments, each with what limits it.
limited_keys() {
  options="restrict,command=\"$prefix/login\""
  [ -z "$from" ] || options="$options,from=\"$from\""
  awk -v options="$options" '
    /^[ \t]*(#|$)/ { next }
    $1 !~ /^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)|sk-ssh-ed25519@openssh\.com|sk-ecdsa-sha2-nistp256@openssh\.com)$/ ||
      $2 !~ /^[A-Za-z0-9+\/]+=*$/ { bad = 1; exit }
    { print options, $1, $2; n++ }
    END { exit bad || !n }' "$1"
}

put() { # FROM TO MODE: whole or not at all
  sed "s|@PREFIX@|$prefix|g; s|@VERSION@|$version|g" "$1" >"$2.new" && chmod "$3" "$2.new" && mv -f "$2.new" "$2" ||
    fail "$2 could not be written."
}

install_all() {
  for tool in visudo sudo useradd usermod userdel flock timeout find awk sed; do
    command -v $tool >/dev/null 2>&1 || fail "the command $tool is missing; install sudo, shadow (passwd), util-linux and coreutils."
  done
  [ -x /usr/bin/sudo ] || fail '/usr/bin/sudo is missing; install sudo.'
  [ -f "$HERE/version" ] && [ -f "$HERE/steps.sh" ] ||
    fail 'this file belongs into the folder that `straceback host-kit FOLDER` writes; run it there.'
  version=$(cat "$HERE/version")
  case $version in '' | *[!0-9a-f]*) fail "$HERE/version is damaged; write the folder again." ;; esac

  KEEP=/var/lib/straceback ALLOW='none slows stops writes-disk' FROM= CGROUP=no
  if [ -f "$prefix/settings" ]; then
    only_root "$prefix/settings" || fail "somebody besides root could change $prefix/settings; remove $prefix first."
    . "$prefix/settings"
  fi
  keep=${keep:-$KEEP} from=${from:-$FROM}
  if [ -n "$allow" ]; then
    ALLOW=none
    for impact in none slows stops writes-disk risks-death; do
      case ",$allow," in *",$impact,"*) [ $impact = none ] || ALLOW="$ALLOW $impact" ;; esac
    done
    for impact in $(echo "$allow" | tr ',' ' '); do
      case " $ALLOW " in *" $impact "*) ;; *) fail "--allow does not know \"$impact\": none,slows,stops,writes-disk,risks-death." 64 ;; esac
    done
  fi
  [ -n "$key" ] || [ -s "$keys" ] || fail 'give --key FILE: the public key of the worker.' 64
  if [ -n "$key" ]; then
    [ -r "$key" ] || fail "$key cannot be read." 66
    limited_keys "$key" >/dev/null || fail "$key holds something that is no public key." 65
  fi
  case $(shell_of) in
    '' | "$prefix/login") ;;
    *) fail "there is an account $user of another kind; choose another name with --user." ;;
  esac

  mkdir -p "$prefix" || fail "$prefix cannot be made."
  only_root "$prefix" || fail "somebody besides root could change $prefix or a folder above it; choose another --prefix."
  chmod 755 "$prefix"
  mkdir -p "$keep" && chown 0:0 "$keep" && chmod 700 "$keep" && only_root "$keep" ||
    fail "$keep cannot be made for root alone; choose another --keep."

  kit=$prefix/kit-$version
  rm -rf "$prefix/.new"
  mkdir "$prefix/.new" "$prefix/.new/scripts"
  for file in serve.sh limit.sh core.sh steps.sh; do
    cp "$HERE/$file" "$prefix/.new/$file" || fail "$HERE/$file is missing; write the folder again."
  done
  cp "$HERE"/scripts/* "$prefix/.new/scripts/" || fail "$HERE/scripts is not complete; write the folder again."
  chown -R 0:0 "$prefix/.new"
  find "$prefix/.new" -type d -exec chmod 755 {} + -o -exec chmod 644 {} +
  rm -rf "$kit"
  mv "$prefix/.new" "$kit" || fail "$kit cannot be written."

  # Some systems have systemd-run and no systemd to ask.
  if [ -d /run/systemd/system ] && systemd-run --quiet --scope --collect -p MemoryMax=64M true </dev/null >/dev/null 2>&1; then
    CGROUP=yes
  else
    CGROUP=no
  fi
  {
    echo "# Written by install.sh, which reads it again."
    echo "ALLOW='$ALLOW'"
    echo "KEEP='$keep'"
    echo "FROM='$from'"
    echo "CGROUP='$CGROUP'"
  } >"$prefix/settings.new" && mv -f "$prefix/settings.new" "$prefix/settings"
  put "$HERE/runner" "$prefix/runner" 755
  put "$HERE/login" "$prefix/login" 755
  put "$HERE/version" "$prefix/version" 644

  # Its home is root's: it can keep nothing there, and sshd reads its keys there.
  mkdir -p "$prefix/home/.ssh"
  chmod 755 "$prefix/home" "$prefix/home/.ssh"
  if [ -n "$key" ]; then
    limited_keys "$key" >"$keys.new" && chmod 644 "$keys.new" && mv -f "$keys.new" "$keys"
  fi
  chown -R 0:0 "$prefix"

  if [ -z "$(shell_of)" ]; then
    # `*` is a password that nobody has; `!` would count as locked where sshd does without PAM.
    useradd --system --user-group --no-create-home --home-dir "$prefix/home" --shell "$prefix/login" --password '*' \
      --comment 'Straceback looks at processes' "$user" || fail "the account $user could not be made."
  fi
  usermod --password '*' "$user" || fail "the account $user could not be changed."

  {
    echo "# What Straceback's account may do as root: run its runner, without arguments and with nothing of its own environment."
    echo "Defaults:$user env_reset, !env_keep, !env_check, secure_path=\"/usr/sbin:/usr/bin:/sbin:/bin\""
    echo "Defaults:$user !setenv, !requiretty, !use_pty, closefrom=3"
    echo "$user ALL=(root) NOPASSWD: $prefix/runner \"\""
  } >"$prefix/sudoers.new"
  chmod 440 "$prefix/sudoers.new"
  visudo -c -q -f "$prefix/sudoers.new" || { rm -f "$prefix/sudoers.new"; fail 'this sudo does not take the rule; nothing was allowed.'; }
  mv -f "$prefix/sudoers.new" "$rules" || fail "$rules cannot be written."
  ! command -v restorecon >/dev/null 2>&1 || restorecon -R "$prefix" "$rules" "$keep" 2>/dev/null

  # Kits of other versions, which nothing starts any more.
  for other in "$prefix"/kit-*; do
    [ "$other" = "$kit" ] || rm -rf "$other"
  done
  check
}

case $what in
  install) install_all ;;
  check) check ;;
  remove) remove ;;
esac
