# shellcheck shell=bash
# memcached, for run.sh. It asks for no password, so it listens only on a socket that its user can use.
socket=${state:?}/memcached.sock

prepare() {
  # 103 bytes are what macOS allows
  if [ "$(printf %s "$socket" | wc -c)" -gt 103 ]; then
    die "the path of the socket $socket is longer than 103 bytes: set DATA_DIR to a folder with a shorter path"
  fi
}

start() {
  rm -f "$socket" # a crash leaves it behind
  exec memcached --unix-socket="$socket" --unix-mask=0700 --memory-limit=64
}

finish() { rm -f "$socket"; }
