# shellcheck shell=bash
# Valkey, for run.sh. Its data is disposable, so it writes nothing to disk.
prepare() {
  free_port VALKEY_PORT
  mkdir -p "${state:?}/valkey"
  password=$(password valkey)
}

start() {
  # the password comes through stdin, because everyone can read arguments
  exec valkey-server - --bind 127.0.0.1 --port "$VALKEY_PORT" --dir "${state:?}/valkey" \
    --save "" --appendonly no --daemonize no <<<"requirepass $password"
}
