# shellcheck shell=bash
# Granian, for run.sh; it restarts when code changes.
prepare() { free_port PORT; } # Granian silently shares a port that is in use

start() {
  rm -f "${state:?}/web.ready" # see web-ready.sh
  cd project || exit
  exec granian --interface asgi --host 127.0.0.1 --port "$PORT" --workers-kill-timeout 5s \
    --http 1 --http1-buffer-size 65536 \
    --access-log --reload --reload-paths apps --reload-paths config --reload-paths dovetail \
    config.asgi:application
}
