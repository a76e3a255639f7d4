# CycloneDX bills of materials: for the Python packages in uv.lock, and for everything in the image.
{
  lib,
  pkgs,
  app,
  interpreter,
}:
pkgs.runCommand "sbom"
  {
    nativeBuildInputs = [
      pkgs.uv
      pkgs.jq
    ];
    lockFiles = lib.fileset.toSource {
      root = ../.;
      fileset = lib.fileset.unions [
        ../pyproject.toml
        ../uv.lock
      ];
    };
    closure = pkgs.closureInfo {
      rootPaths = [
        app
        pkgs.tini
        pkgs.cacert
        pkgs.tzdata
      ];
    };
  }
  ''
    export HOME=$TMPDIR UV_CACHE_DIR=$TMPDIR/uv UV_PYTHON=${interpreter.interpreter} UV_PYTHON_DOWNLOADS=never
    cp $lockFiles/* .
    uv export --offline --frozen --no-dev --all-extras --format cyclonedx1.5 --quiet >python.json
    mkdir $out
    # Both differ from build to build, and say nothing about the packages.
    jq --sort-keys 'del(.serialNumber, .metadata.timestamp)' python.json >$out/python.cdx.json
    jq --raw-input --null-input --from-file ${./sbom.jq} $closure/store-paths >$out/closure.cdx.json
  ''
