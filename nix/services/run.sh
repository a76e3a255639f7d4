#!/usr/bin/env bash
# run.sh NAME: run one process of the stack, as process-compose.yaml does. NAME.sh beside this file
# says how it starts. After a crash it starts again; the third crash, each within a minute of its
# start, ends this script. Status 78: its configuration is wrong, and another start would not help.
# shellcheck disable=SC2034,SC2317 # what NAME.sh uses
set -euo pipefail

readonly WRONG=78 CRASHES=3 STEADY=60 # STEADY: seconds after which an old crash no longer counts

say() { echo "$name: $*" >&2; }
die() {
  say "$*"
  exit "$WRONG"
}

# free_port VARIABLE: the port that it names must be one, and nobody's.
free_port() {
  local port=${!1}
  if ! [[ $port =~ ^[0-9]{1,5}$ ]] || ((port < 1024 || port > 65535)); then
    die "$1 must be a port number from 1024 to 65535, not '$port': set it in .env or the environment"
  fi
  if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
    die "port $port is taken: stop what listens there, or set $1 to a free one in .env or the environment"
  fi
}

name=${1:?run.sh NAME}
here=$(dirname "$(readlink -f "$0")")
cd "$here/../.."
mkdir -p "$DATA_DIR/services"
DATA_DIR=$(cd "$DATA_DIR" && pwd) # .env may give it relative to the checkout
state=$DATA_DIR/services

prepare() { :; } # before the first start
start() { :; }   # becomes the program
finish() { :; }  # after its last end
# shellcheck source=/dev/null
. "$here/$name.sh"

prepare
crashes=0
stopping=
# The signal reaches the whole process group, the program included; bash runs this after its end.
trap 'stopping=yes' INT TERM
while :; do
  began=$SECONDS
  status=0
  (start) || status=$?
  if [ -n "$stopping" ] || [ "$status" = 0 ] || [ "$status" = "$WRONG" ]; then break; fi
  if ((SECONDS - began >= STEADY)); then crashes=0; fi
  crashes=$((crashes + 1))
  if ((crashes == CRASHES)); then
    say "crashed $crashes times, at last with status $status; its log is $DATA_DIR/log/$name.log"
    break
  fi
  say "ended with status $status; starting it again"
  sleep 1
done
finish
if [ -n "$stopping" ]; then status=0; fi
exit "$status"
