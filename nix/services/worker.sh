# shellcheck shell=bash
# A Celery worker, for run.sh. Threads, since macOS cannot fork safely; and no talk to other workers.
start() {
  cd project || exit
  exec celery -A config.celery worker --pool=threads --concurrency=2 --loglevel=INFO \
    --without-gossip --without-mingle --without-heartbeat
}
