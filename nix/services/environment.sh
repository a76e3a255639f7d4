# shellcheck shell=bash
# Sourced in the root of the checkout, by `nix develop`, `nix run` or by hand: how process-compose
# runs here, and where psql finds the stack's database. What is set already stays.
: "${PC_DISABLE_TUI:=1}" # one log of all; `process-compose up --tui=true` shows the screens
# Orders come through a file that belongs to you, not through a port open to everybody here.
: "${PC_SOCKET_PATH:=${DATA_DIR:-.data}/process-compose.sock}"
: "${PC_LOG_FILE:=${DATA_DIR:-.data}/log/process-compose.log}"
: "${PGHOST:=127.0.0.1}" "${PGPORT:=${POSTGRES_PORT:-8002}}" "${PGUSER:=dovetail}" "${PGDATABASE:=dovetail}"
: "${PGPASSFILE:=$PWD/.data/services/pgpass}"
export PC_DISABLE_TUI PC_SOCKET_PATH PC_LOG_FILE PGHOST PGPORT PGUSER PGDATABASE PGPASSFILE
if [ ! -d "${XDG_CONFIG_HOME:-$HOME/.config}/process-compose" ]; then
  : "${PROC_COMP_CONFIG:=$PWD/.data}" # it looks for a theme, and reports that there is none
  export PROC_COMP_CONFIG
fi
if [ -e process-compose.yaml ]; then mkdir -p "${DATA_DIR:-.data}/log"; fi
