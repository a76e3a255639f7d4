# The checks that `nix flake check` builds, besides the packages.
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
    # Tests read all of the repository: the pages at its root name files everywhere.
    fileset = lib.fileset.unions [
      ../.ci
      ../.dockerignore
      ../.editorconfig
      ../.env.example
      ../.envrc
      ../.gitattributes
      ../.github
      ../.gitignore
      ../.pre-commit-config.yaml
      ../.vscode
      ../AGENTS.md
      ../CHANGELOG.md
      ../CONTRIBUTING.md
      ../Dockerfile
      ../LICENSE
      ../README.md
      ../SECURITY.md
      ../benchmarks
      ../bin
      ../deploy
      ../docker-compose.dev.yml
      ../docker-compose.yml
      ../docs
      ../flake.lock
      ../flake.nix
      (lib.fileset.difference ../frontend (
        lib.fileset.unions [
          (lib.fileset.maybeMissing ../frontend/node_modules)
          (lib.fileset.maybeMissing ../frontend/dist)
        ]
      ))
      ../nix
      ../process-compose.yaml
      ../project
      ../pyproject.toml
      ../tests
      ../uv.lock
    ];
  };
  check =
    name: inputs: script:
    pkgs.runCommand "check-${name}"
      {
        nativeBuildInputs = [ developmentEnvironment ] ++ inputs;
        # tests use 127.0.0.1, which the macOS sandbox blocks by default
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

  # The tests on a throwaway ParadeDB, without those that start servers or a browser, and without
  # those that download the embedded programs.
  tests = check "tests" services ''
    cluster=$TMPDIR/cluster
    password=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')
    initdb --pgdata=$cluster --username=postgres --auth=scram-sha-256 --pwfile=<(echo $password) --no-sync >/dev/null
    port=$(python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    for library in $(dirname $(readlink -f $(type -P postgres)))/../lib/pg_search.*; do
      if [ -e $library ]; then echo "shared_preload_libraries = pg_search" >>$cluster/postgresql.conf; fi
    done
    pg_ctl --pgdata=$cluster --wait --log=$cluster/log --options="-c listen_addresses=127.0.0.1 -c port=$port \
      -c unix_socket_directories= -c fsync=off -c max_connections=200" start >/dev/null
    trap 'pg_ctl --pgdata=$cluster --mode=immediate stop >/dev/null' EXIT
    export DATABASE_URL=postgres://postgres:$password@127.0.0.1:$port/postgres
    ln -s ${frontend.dist} frontend/dist
    pytest -p no:cacheprovider -q --long -m "not e2e and not stack" \
      --ignore=tests/cable --ignore=tests/dovetail/devtools/embedded --ignore=tests/dovetail/devtools/stack --ignore=tests/stack \
      --ignore=tests/dovetail/tasks/test_rabbitmq.py
    # By itself: its workers are threads of the tests' own process.
    pytest -p no:cacheprovider -q --long -n0 tests/dovetail/tasks/test_rabbitmq.py
  '';

  shell-scripts = check "shell-scripts" [ pkgs.shellcheck ] ''
    shellcheck nix/services/*.sh deploy/*/*.sh .ci/run .ci/nix bin/*
  '';
  nix-format = check "nix-format" [ pkgs.nixfmt ] ''
    status=0
    nixfmt --check flake.nix nix/*.nix || status=$?
    # 127: .ci/nix replaces nixpkgs with a stand-in that has no nixfmt
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
