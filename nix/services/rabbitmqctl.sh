#!/usr/bin/env bash
# rabbitmqctl.sh TOOL [ARGUMENT...]: run a RabbitMQ tool against the stack's node, as in
# `bash nix/services/rabbitmqctl.sh rabbitmqctl list_queues`.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
state=${DATA_DIR:-$here/../../.data}/services
RABBITMQ_PORT=${RABBITMQ_PORT:-8004}
# shellcheck source=nix/services/rabbitmq.sh
. "$here/rabbitmq.sh"
configure
exec "$@"
