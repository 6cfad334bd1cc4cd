#!/bin/sh
# Does everything a fresh clone needs before a job can run, then runs it: run.sh sandbox|test|incidents|bench|evals|fuzz|faults|screenshots [ARGUMENTS].
# Installs npm packages as the lock file says and, as root on Debian or a relative, the system's tools by apt-get.
set -eu
cd "$(dirname "$0")/../.."

job=${1:?usage: run.sh sandbox|test|incidents|bench|evals|fuzz|faults|screenshots}
shift

say() { printf 'straceback: %s\n' "$*" >&2; }

node -e 'const [major, minor] = process.versions.node.split(".").map(Number); process.exit(major > 20 || (major === 20 && minor >= 11) ? 0 : 1)' ||
  { say "Node $(node --version) is too old; install Node 20.11 or newer."; exit 1; }

# npm keeps a copy of the lock file in node_modules; when it is older, or not there, the packages are not the lock's.
if [ ! -f node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  say "installing npm packages"
  npm ci --include=dev --no-audit --no-fund --loglevel=error
  touch node_modules/.package-lock.json
fi

# tool:package, for the tools that the job runs.
wanted='redis-server:redis-server sshd:openssh-server ssh:openssh-client ssh-keygen:openssh-client gdb:gdb strace:strace lsof:lsof eu-stack:elfutils ss:iproute2 python3:python3'
[ "$job" != test ] && [ "$job" != incidents ] || wanted="$wanted chromium:chromium cc:gcc sudo:sudo setpriv:util-linux runc:runc crun:crun"

[ "$job" != screenshots ] || wanted="$wanted chromium:chromium"
[ "$job" != faults ] || wanted="$wanted unshare:util-linux nsenter:util-linux"

has() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || [ -x "/sbin/$1" ]; }

packages=''
for pair in $wanted; do
  has "${pair%%:*}" || packages="$packages ${pair#*:}"
done
# What has no command of its own: the gdb helpers for the system's Python, and for the tests the libraries and servers that
# sick programs are made of.
debian=python3-dbg
[ "$job" != test ] && [ "$job" != incidents ] || debian="$debian python3-dev python3-gevent python3-eventlet python3-uvloop python3-requests python3-aiohttp python3-celery
  python3-redis python3-psycopg2 gunicorn uwsgi-core uwsgi-plugin-python3 libtcmalloc-minimal4 libjemalloc2 ltrace tcpdump
  debootstrap postgresql golang-go golang-github-masterminds-sprig-dev golang-k8s-sigs-yaml-dev"
[ "$job" != faults ] || debian="$debian postgresql python3-psycopg2"
# Without it Chromium shows boxes for emoji.
[ "$job" != screenshots ] || debian="$debian fonts-noto-color-emoji"
if [ -x /usr/bin/python3 ] && command -v dpkg-query >/dev/null 2>&1; then
  for package in $debian; do
    case $(dpkg-query -W -f='${Status}' "$package" 2>/dev/null) in
      'install ok installed') ;;
      *) packages="$packages $package" ;;
    esac
  done
fi

if [ -n "$packages" ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    say "installing$packages"
    log=$(mktemp)
    if ! { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages; } >"$log" 2>&1 </dev/null; then
      tail -n 20 "$log" >&2
      say "apt-get could not install$packages; its last lines are above."
      exit 1
    fi
    rm -f "$log"
  else
    say "these packages are missing:$packages"
    say "install them first, for example: sudo apt-get install$packages"
    exit 1
  fi
fi

case $job in
  sandbox)
    npm run --silent build
    exec node dist/straceback.js sandbox "$@"
    ;;
  test)
    npm run --silent types
    npm run --silent lint
    npm run --silent walls
    npm run --silent build
    exec node tests/run-tests.mjs "$@"
    ;;
  incidents)
    exec node --import ./tests/support/typescript-loader.mjs tests/incidents/table.ts "$@"
    ;;
  evals)
    exec node --import ./tests/support/typescript-loader.mjs tests/evals/run.ts "$@"
    ;;
  fuzz)
    exec node --import ./tests/support/typescript-loader.mjs tests/fuzz/run.ts "$@"
    ;;
  faults)
    exec node --import ./tests/support/typescript-loader.mjs tests/faults/run.ts "$@"
    ;;
  screenshots)
    exec node --import ./tests/support/typescript-loader.mjs tests/screenshots/take.ts "$@"
    ;;
  bench)
    npm run --silent build
    exec node dist/tests/bench/run.js "$@"
    ;;
  *)
    say "unknown job $job"
    exit 2
    ;;
esac
