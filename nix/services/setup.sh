#!/usr/bin/env bash
# setup.sh: once PostgreSQL runs, create the application's database and extension, and write the
# addresses of the services to $DATA_DIR/up.json, where the development settings find them.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
DATA_DIR=$(cd "$DATA_DIR" && pwd) # .env may contain a path relative to the checkout

unset "${!PG@}" # those of the shell are for other servers
export PGHOST=127.0.0.1 PGPORT=$POSTGRES_PORT PGUSER=dovetail PGPASSFILE=$DATA_DIR/services/pgpass
query() { psql --no-psqlrc --quiet --tuples-only --no-align --command "$@"; }

if [ -z "$(query "SELECT 1 FROM pg_database WHERE datname = 'dovetail'" postgres)" ]; then
  createdb --maintenance-db=postgres dovetail
fi
if [ -n "$(query "SELECT 1 FROM pg_available_extensions WHERE name = 'pg_search'" dovetail)" ]; then
  PGOPTIONS="--client-min-messages=warning" query "CREATE EXTENSION IF NOT EXISTS pg_search" dovetail
  echo "PostgreSQL $(query "SHOW server_version" dovetail) with pg_search"
else
  echo "PostgreSQL $(query "SHOW server_version" dovetail) without pg_search: using PostgreSQL's built-in search"
fi

umask 077
valkey=$(bash nix/services/password.sh valkey)
rabbitmq=$(bash nix/services/password.sh rabbitmq)
# a URL must not contain the other characters that a path may have
socket=$(python -c 'import sys, urllib.parse; print(urllib.parse.quote(sys.argv[1]))' "$DATA_DIR/services/memcached.sock")
url=http://localhost:$PORT
s3=
if [ "${S3_SERVER:-}" = true ]; then
  s3='"S3_BUCKET": "uploads", "S3_REGION": "us-east-1",
    "S3_ENDPOINT_URL": "http://127.0.0.1:'$S3_PORT'", "S3_ACCESS_KEY_ID": "development",
    "S3_SECRET_ACCESS_KEY": "'$(bash nix/services/password.sh s3)'",'
fi
cat >"$DATA_DIR/up.json.new" <<JSON
{
  "pid": $PPID,
  "port": $PORT,
  "url": "$url",
  "environment": {
    "PORT": "$PORT",
    "SITE_URL": "$url",
    "DATABASE_URL": "postgres://dovetail:$(cut -d: -f5 "$PGPASSFILE")@127.0.0.1:$POSTGRES_PORT/dovetail",
    "VALKEY_URL": "redis://:$valkey@127.0.0.1:$VALKEY_PORT/0",
    "MEMCACHED_URL": "memcached://$socket",
    "CELERY_BROKER_URL": "amqp://dovetail:$rabbitmq@127.0.0.1:$RABBITMQ_PORT//",
    $s3
    "VITE_PORT": "$VITE_PORT"
  }
}
JSON
mv "$DATA_DIR/up.json.new" "$DATA_DIR/up.json"
