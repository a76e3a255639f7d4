# shellcheck shell=bash
# Celery's scheduler, for run.sh.
start() {
  cd project || exit
  exec celery -A config.celery beat --loglevel=INFO --schedule="${state:?}/beat" --pidfile=
}
