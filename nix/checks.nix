# What `nix flake check` builds, besides the packages.
{
  lib,
  pkgs,
  services,
  developmentEnvironment,
  interpreter,
  frontend,
  images,
}:
let
  tree = lib.fileset.toSource {
    root = ../.;
    fileset = lib.fileset.unions [
      ../.ci
      ../.env.example
      ../docs
      ../flake.lock
      ../flake.nix
      ../frontend/package-lock.json
      ../frontend/package.json
      ../nix
      ../process-compose.yaml
      ../project
      ../pyproject.toml
      ../README.md
      ../tests
      ../uv.lock
    ];
  };
  check =
    name: inputs: script:
    pkgs.runCommand "dovetail-check-${name}"
      {
        nativeBuildInputs = [ developmentEnvironment ] ++ inputs;
        # tests listen on and connect to 127.0.0.1, which macOS' sandbox has to be asked for
        __darwinAllowLocalNetworking = true;
      }
      ''
        cp -r ${tree} source
        chmod -R u+w source
        cd source
        export HOME=$TMPDIR UV_PYTHON=${interpreter.interpreter} UV_PYTHON_DOWNLOADS=never
        ${script}
        touch $out
      '';
in
{
  frontend = frontend.dist;
  frontend-checks = frontend.checks;
  frontend-tests = frontend.tests;

  lint = check "lint" [ ] ''
    ruff check --no-cache
    ruff format --no-cache --check
    PYTHONPATH=project lint-imports --no-cache
  '';
  types = check "types" [ ] "mypy --cache-dir=/dev/null";

  # The suite on a ParadeDB that is gone afterwards; without what starts servers or a browser, and
  # what downloads for the other way in.
  tests = check "tests" services ''
    initdb --pgdata=cluster --username=dovetail --auth=trust --no-sync >/dev/null
    port=$(python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    for library in $(dirname $(readlink -f $(type -P postgres)))/../lib/pg_search.*; do
      if [ -e $library ]; then echo "shared_preload_libraries = pg_search" >>cluster/postgresql.conf; fi
    done
    pg_ctl --pgdata=cluster --wait --log=cluster/log --options="-c listen_addresses=127.0.0.1 -c port=$port \
      -c unix_socket_directories= -c fsync=off -c max_connections=200" start >/dev/null
    trap 'pg_ctl --pgdata=cluster --mode=immediate stop >/dev/null' EXIT
    export DATABASE_URL=postgres://dovetail@127.0.0.1:$port/postgres
    ln -s ${frontend.dist} frontend/dist
    pytest -p no:cacheprovider -q -m "not e2e and not stack" \
      --ignore=tests/cable --ignore=tests/dovetail/devtools/embedded --ignore=tests/dovetail/devtools/stack --ignore=tests/stack
  '';

  shell-scripts = check "shell-scripts" [ pkgs.shellcheck ] ''
    shellcheck nix/services/*.sh .ci/run .ci/nix
  '';
  nix-format = check "nix-format" [ pkgs.nixfmt ] ''
    status=0
    nixfmt --check flake.nix nix/*.nix || status=$?
    # 127: the stand-in for nixpkgs of .ci/nix has only its name
    if [ $status != 0 ] && [ $status != 127 ]; then exit $status; fi
  '';
  process-compose = check "process-compose" [ pkgs.process-compose ] ''
    process-compose --config process-compose.yaml --dry-run --no-server --log-file $TMPDIR/log
  '';
  locks = check "locks" [ pkgs.uv ] "uv lock --check --offline";
}
// lib.optionalAttrs (images ? image) {
  inherit (images) image;
  image-contents = check "image-contents" [ ] "python nix/image_check.py ${images.image}";
}
