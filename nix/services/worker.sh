# shellcheck shell=bash
# A Celery worker, for run.sh. It uses threads, because forking is not safe on macOS, and does not
# talk to other workers, because there are none.
start() {
  cd project || exit
  exec celery -A config.celery worker --pool=threads --concurrency=2 --loglevel=INFO \
    --without-gossip --without-mingle --without-heartbeat
}
