# shellcheck shell=bash
# memcached, for run.sh.
prepare() { free_port MEMCACHED_PORT; }

start() { exec memcached --listen=127.0.0.1 --port="$MEMCACHED_PORT" --memory-limit=64; }
