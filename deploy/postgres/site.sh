#!/usr/bin/env bash
# Creates the user of the site when the database is new: it owns the database and is no superuser, so
# that whoever finds a way to run SQL cannot run programs. The image itself creates the extensions.
# The entry point of the image runs or sources it, after its own scripts.
psql --quiet --no-psqlrc --set=ON_ERROR_STOP=1 --username="${POSTGRES_USER:?}" --dbname="${POSTGRES_DB:?}" <<SQL
\set password \`cat "${SITE_PASSWORD_FILE:-/run/secrets/site_password}"\`
CREATE ROLE site LOGIN PASSWORD :'password';
ALTER DATABASE "$POSTGRES_DB" OWNER TO site;
ALTER SCHEMA public OWNER TO site;
REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC;
SQL
