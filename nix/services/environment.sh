# shellcheck shell=bash
# Configures process-compose, and points psql to the stack's database. Sourced in the root of the
# checkout by `nix develop`, `nix run` or by hand; variables that are already set keep their values.
: "${PC_DISABLE_TUI:=1}" # print one combined log; `process-compose up --tui=true` shows the TUI
# Commands come through a socket that only you can use, not through a port open to every user.
: "${PC_SOCKET_PATH:=${DATA_DIR:-.data}/process-compose.sock}"
: "${PC_LOG_FILE:=${DATA_DIR:-.data}/log/process-compose.log}"
: "${PGHOST:=127.0.0.1}" "${PGPORT:=${POSTGRES_PORT:-8002}}" "${PGUSER:=dovetail}" "${PGDATABASE:=dovetail}"
: "${PGPASSFILE:=$PWD/.data/services/pgpass}"
export PC_DISABLE_TUI PC_SOCKET_PATH PC_LOG_FILE PGHOST PGPORT PGUSER PGDATABASE PGPASSFILE
if [ ! -d "${XDG_CONFIG_HOME:-$HOME/.config}/process-compose" ]; then
  : "${PROC_COMP_CONFIG:=$PWD/.data}" # otherwise it complains about a missing theme
  export PROC_COMP_CONFIG
fi
if [ -e process-compose.yaml ]; then mkdir -p "${DATA_DIR:-.data}/log"; fi
