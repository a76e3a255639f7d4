#!/usr/bin/env bash
# run.sh NAME: run one process of the stack, for process-compose.yaml. NAME.sh next to this file
# defines how to start it. It is restarted after a crash; the third crash, each within a minute of
# its start, ends this script. Status 78 means a configuration error, which a restart cannot fix.
# shellcheck disable=SC2034,SC2317 # used by NAME.sh
set -euo pipefail

readonly MISCONFIGURED=78 MAX_CRASHES=3
readonly STABLE_AFTER=60 # seconds a process must run for its earlier crashes not to count

say() { echo "$name: $*" >&2; }
die() {
  say "$*"
  exit "$MISCONFIGURED"
}

# free_port VARIABLE: fail unless the variable holds a valid port that is not in use.
free_port() {
  local port=${!1}
  if ! [[ $port =~ ^[0-9]{1,5}$ ]] || ((port < 1024 || port > 65535)); then
    die "$1 must be a port number from 1024 to 65535, not '$port': set it in .env or the environment"
  fi
  if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
    die "port $port is in use: stop what listens there, or set $1 to a free port in .env or the environment"
  fi
}

# password SERVER: print the password of a server.
password() { bash "$here/password.sh" "$1"; }

name=${1:?run.sh NAME}
here=$(dirname "$(readlink -f "$0")")
cd "$here/../.."
mkdir -p "$DATA_DIR/services"
chmod 700 "$DATA_DIR/services" # for passwords and sockets
DATA_DIR=$(cd "$DATA_DIR" && pwd) # .env may contain a path relative to the checkout
state=$DATA_DIR/services

prepare() { :; } # runs before the first start
start() { :; }   # execs the program
finish() { :; }  # runs after the last exit
# shellcheck source=/dev/null
. "$here/$name.sh"

prepare
crashes=0
stopping=
# The signal reaches the whole process group, including the program; bash runs the trap once the
# program has exited.
trap 'stopping=yes' INT TERM
while :; do
  began=$SECONDS
  status=0
  (start) || status=$?
  if [ -n "$stopping" ] || [ "$status" = 0 ] || [ "$status" = "$MISCONFIGURED" ]; then break; fi
  if ((SECONDS - began >= STABLE_AFTER)); then crashes=0; fi
  crashes=$((crashes + 1))
  if ((crashes == MAX_CRASHES)); then
    say "crashed $crashes times, last with status $status; see $DATA_DIR/log/$name.log"
    break
  fi
  say "exited with status $status; restarting it"
  sleep 1
done
finish
if [ -n "$stopping" ]; then status=0; fi
exit "$status"
