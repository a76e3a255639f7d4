#!/usr/bin/env bash
# password.sh SERVER: print the password of the stack's server, generated on the first use and kept
# in $DATA_DIR/services, so that other users of this machine stay out. For example:
# REDISCLI_AUTH=$(bash nix/services/password.sh valkey) valkey-cli -p 8003
set -euo pipefail
file=${DATA_DIR:-$(dirname "$(readlink -f "$0")")/../../.data}/services/${1:?password.sh SERVER}.password

if [ ! -e "$file" ]; then
  umask 077
  mkdir -p "${file%/*}"
  new=$(mktemp "$file.XXXXXX")
  od -An -N24 -tx1 /dev/urandom | tr -d ' \n' >"$new"
  ln "$new" "$file" 2>/dev/null || true # another process may have been first
  rm "$new"
fi
cat "$file"
