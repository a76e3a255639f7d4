#!/usr/bin/env bash
# web-ready.sh: succeed if the web server is ready. After the first successful request, it only
# checks that the port is open: a request every second would fill the access log.
set -euo pipefail

exec 3<>"/dev/tcp/127.0.0.1/$PORT"
if [ ! -e "$DATA_DIR/services/web.ready" ]; then
  printf 'GET /livez HTTP/1.0\r\n\r\n' >&3
  grep -q '^HTTP/1.[01] 200 ' <&3
  touch "$DATA_DIR/services/web.ready"
fi
