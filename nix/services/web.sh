# shellcheck shell=bash
# Granian, for run.sh; it starts anew when code changes.
prepare() { free_port PORT; } # a second Granian on a taken port would share it without a word

start() {
  rm -f "${state:?}/web.ready" # see web-ready.sh
  cd project || exit
  exec granian --interface asgi --host 127.0.0.1 --port "$PORT" --workers-kill-timeout 5s \
    --access-log --reload --reload-paths apps --reload-paths config config.asgi:application
}
