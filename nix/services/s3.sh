# shellcheck shell=bash
# SeaweedFS, for run.sh, as an S3 server for uploads. It takes 200 MB, so it runs only if S3_SERVER=true.
prepare() {
  if [ "${S3_SERVER:-}" != true ]; then
    say "off: set S3_SERVER=true in the environment to store uploads in S3"
    return
  fi
  free_port S3_PORT
  mkdir -p "${state:?}/s3/data"
  # the key's secret is in a file, because everyone can read arguments
  (
    umask 077
    cat >"$state/s3/s3.json" <<JSON
{"identities": [{"name": "application", "actions": ["Admin", "Read", "Write", "List", "Tagging"],
  "credentials": [{"accessKey": "development", "secretKey": "$(password s3)"}]}]}
JSON
  )
}

start() {
  [ "${S3_SERVER:-}" = true ] || exit 0
  cd "$state/s3" || exit # the paths of sockets are limited, so they are relative
  exec weed -logtostderr=true server -filer -s3 -dir=data -ip=127.0.0.1 -ip.bind=127.0.0.1 \
    -s3.port="$S3_PORT" -s3.port.grpc=$((S3_PORT + 1)) -s3.port.iceberg=0 -s3.port.lance=0 \
    -master.port=$((S3_PORT + 2)) -master.port.grpc=$((S3_PORT + 3)) \
    -volume.port=$((S3_PORT + 4)) -volume.port.grpc=$((S3_PORT + 5)) \
    -filer.port=$((S3_PORT + 6)) -filer.port.grpc=$((S3_PORT + 7)) \
    -s3.config=s3.json -s3.iam=false -s3.autoCreateBucket=true \
    -s3.allowedOrigins="http://localhost:$PORT,http://127.0.0.1:$PORT" \
    -s3.localSocket=s3.sock -filer.localSocket=filer.sock \
    -master.electionTimeout=1s -master.heartbeatInterval=100ms \
    -master.telemetry=false -master.volumeSizeLimitMB=64 -volume.max=0
}
