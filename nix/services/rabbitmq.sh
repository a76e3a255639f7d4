# shellcheck shell=bash
# RabbitMQ in $DATA_DIR/services/rabbitmq, for run.sh and, for its tools, rabbitmqctl.sh.
# It takes RABBITMQ_PORT and the twelve ports after it: one for other nodes, one for a private epmd
# (the Erlang port mapper, which checkouts would otherwise share), and ten for its tools.
base=${state:?}/rabbitmq

prepare() {
  free_port RABBITMQ_PORT
  mkdir -p "$base"
  # a node of an earlier version has the user guest, whose password everyone knows
  if ! grep -qs '^default_user' "$base/rabbitmq.conf"; then rm -rf "$base/mnesia" "$base/.erlang.cookie"; fi
  umask 077
  # a new node creates this user instead of guest
  printf '%s\n' 'log.console.level = warning' 'default_user = dovetail' \
    "default_pass = $(password rabbitmq)" >"$base/rabbitmq.conf"
  echo '[].' >"$base/enabled_plugins"
  # whoever knows the cookie controls the node, and the one that Erlang would create can be guessed
  if [ ! -e "$base/.erlang.cookie" ]; then
    od -An -N24 -tx1 /dev/urandom | tr -d ' \n' >"$base/.erlang.cookie"
    chmod 400 "$base/.erlang.cookie"
  fi
}

configure() {
  export HOME=$base # with the Erlang cookie
  export RABBITMQ_NODENAME=dovetail@localhost
  export RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 RABBITMQ_NODE_PORT=$RABBITMQ_PORT
  export RABBITMQ_DIST_PORT=$((RABBITMQ_PORT + 1))
  export ERL_EPMD_ADDRESS=127.0.0.1 ERL_EPMD_PORT=$((RABBITMQ_PORT + 2))
  export RABBITMQ_CTL_DIST_PORT_MIN=$((RABBITMQ_PORT + 3)) RABBITMQ_CTL_DIST_PORT_MAX=$((RABBITMQ_PORT + 12))
  export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1}"
  export RABBITMQ_BASE=$base RABBITMQ_MNESIA_BASE=$base/mnesia RABBITMQ_LOG_BASE=$base/log RABBITMQ_LOGS=-
  export RABBITMQ_ENABLED_PLUGINS_FILE=$base/enabled_plugins RABBITMQ_PID_FILE=$base/pid
  export RABBITMQ_CONFIG_FILE=$base/rabbitmq RABBITMQ_CONF_ENV_FILE=$base/rabbitmq-env.conf
  export RABBITMQ_GENERATED_CONFIG_DIR=$base/config RABBITMQ_SCHEMA_DIR=$base/schema
  export LC_ALL=C.UTF-8
}

start() {
  configure
  exec rabbitmq-server
}

# epmd outlives its node. Request 107 ("kill") stops it once no node is left.
finish() {
  { exec 3<>"/dev/tcp/127.0.0.1/$((RABBITMQ_PORT + 2))" && printf '\0\1k' >&3; } 2>/dev/null || true
}
