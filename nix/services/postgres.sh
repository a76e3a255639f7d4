# shellcheck shell=bash
# PostgreSQL in $DATA_DIR/services/postgres, for run.sh.
data=${state:?}/postgres

prepare() {
  local running
  running=$(sed -n 's/.*"pid": \([0-9]*\).*/\1/p' "$DATA_DIR/up.json" 2>/dev/null || true)
  if [ -n "$running" ] && kill -0 "$running" 2>/dev/null; then
    die "this checkout's stack is already running (process $running, from $DATA_DIR/up.json): use that one, or stop it"
  fi
  free_port POSTGRES_PORT
  if [ -e "$data/PG_VERSION" ] && [ "$(cat "$data/PG_VERSION")" != 17 ]; then
    die "$data was created by PostgreSQL $(cat "$data/PG_VERSION"), but this is 17: dump it with that version, or remove the folder"
  fi
  if [ "$(id -u)" = 0 ]; then
    die "PostgreSQL does not run as root: start the stack as another user, or with \`uv run project/manage.py up\`"
  fi
  if [ ! -e "$data/PG_VERSION" ]; then create; fi
}

# Created under another name and then renamed, so an interrupted start leaves no partial cluster.
create() {
  umask 077
  rm -rf "$data.new"
  # a password keeps other users of this machine out; psql reads it from pgpass
  od -An -N24 -tx1 /dev/urandom | tr -d ' \n' >"${state:?}/password"
  # the builtin provider sorts the same on Linux and macOS
  initdb --pgdata="$data.new" --username=dovetail --pwfile="${state:?}/password" --auth=scram-sha-256 \
    --encoding=UTF8 --locale-provider=builtin --builtin-locale=C.UTF-8 --locale=C >/dev/null
  echo "127.0.0.1:*:*:dovetail:$(cat "${state:?}/password")" >"$state/pgpass"
  mv "$data.new" "$data"
}

start() {
  # nixpkgs' PostgreSQL has no pg_config; its extensions are in ../lib, as in Debian's
  local libraries preload='' suffix
  libraries=$(dirname "$(readlink -f "$(command -v postgres)")")/../lib
  for suffix in so dylib; do
    # pg_search must be loaded when the server starts
    if [ -e "$libraries/pg_search.$suffix" ]; then preload=pg_search; fi
  done
  exec postgres -D "$data" -c listen_addresses=127.0.0.1 -c port="$POSTGRES_PORT" \
    -c unix_socket_directories= -c shared_preload_libraries="$preload" -c log_destination=stderr
}

finish() { rm -f "$DATA_DIR/up.json"; } # it points to this server
