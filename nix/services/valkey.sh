# shellcheck shell=bash
# Valkey, for run.sh. Its data is disposable, so it writes nothing to disk.
prepare() {
  free_port VALKEY_PORT
  mkdir -p "${state:?}/valkey"
}

start() {
  exec valkey-server --bind 127.0.0.1 --port "$VALKEY_PORT" --dir "${state:?}/valkey" \
    --save "" --appendonly no --daemonize no
}
