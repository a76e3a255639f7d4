# frontend/dist, its checks and its tests, built offline with the packages in package-lock.json.
{
  lib,
  stdenvNoCC,
  writeText,
  writeShellApplication,
  nodejs,
  cacert,
}:
let
  lock = lib.importJSON ../frontend/package-lock.json;
  record = lib.importJSON ./npm-tarballs.json;

  nameOf = path: entry: entry.name or (lib.last (lib.splitString "node_modules/" path));
  fileOf =
    path: entry: "${lib.replaceStrings [ "/" ] [ "+" ] (nameOf path entry)}@${entry.version}.tgz";
  allows = allowed: names: allowed == [ ] || lib.any (name: lib.elem name allowed) names;
  # The packages that a supported machine may install; npm ignores the others.
  isWanted =
    entry:
    entry ? integrity
    && !(entry.inBundle or false)
    && allows (entry.os or [ ]) [
      "linux"
      "darwin"
    ]
    && allows (entry.cpu or [ ]) [
      "x64"
      "arm64"
    ];
  wanted = lib.filterAttrs (_: isWanted) lock.packages;
  wantedJSON = builtins.toJSON (
    lib.mapAttrsToList (path: entry: {
      spec = "${nameOf path entry}@${entry.version}";
      file = fileOf path entry;
      inherit (entry) integrity;
    }) wanted
  );
  wantedDigest = builtins.hashString "sha256" wantedJSON;

  # The lock has hashes but no URLs, so npm itself fetches packages by name and version. Check the
  # record first, for a clear error: with a changed lock, Nix would reuse the old result or only report
  # a hash mismatch.
  tarballs =
    if record.wanted != wantedDigest then
      throw "frontend/package-lock.json has changed since nix/npm-tarballs.json was written: run `nix run .#update` and commit the result."
    else
      stdenvNoCC.mkDerivation {
        name = "npm-tarballs";
        dontUnpack = true;
        nativeBuildInputs = [
          nodejs
          cacert
        ];
        wanted = wantedJSON;
        passAsFile = [ "wanted" ];
        buildPhase = ''
          export HOME=$TMPDIR npm_config_cafile=$NIX_SSL_CERT_FILE npm_config_update_notifier=false
          node ${./npm-tarballs.mjs} $wantedPath $out
        '';
        dontInstall = true;
        dontFixup = true;
        outputHashMode = "recursive";
        outputHash = record.hash;
        impureEnvVars = lib.fetchers.proxyImpureEnvVars;
      };

  offlineLock = writeText "package-lock.json" (
    builtins.toJSON (
      lock
      // {
        packages =
          lock.packages
          // lib.mapAttrs (
            path: entry: entry // { resolved = "file:${tarballs}/${fileOf path entry}"; }
          ) wanted;
      }
    )
  );

  modules = stdenvNoCC.mkDerivation {
    name = "node-modules";
    dontUnpack = true;
    nativeBuildInputs = [ nodejs ];
    buildPhase = ''
      export HOME=$TMPDIR
      cp ${../frontend/package.json} package.json
      cp ${offlineLock} package-lock.json
      npm ci --offline --ignore-scripts --no-audit --no-fund
      patchShebangs --build node_modules
    '';
    installPhase = "mkdir $out && mv node_modules $out";
    dontFixup = true;
  };

  # biome's default Linux build needs a dynamic loader missing under Nix; this build is static.
  staticBiome = lib.optionalString stdenvNoCC.hostPlatform.isLinux ''
    tar -xzf ${tarballs}/@biomejs+cli-linux-${
      if stdenvNoCC.hostPlatform.isAarch64 then "arm64" else "x64"
    }-musl@${lock.packages."node_modules/@biomejs/biome".version}.tgz
    export BIOME_BINARY=$PWD/package/biome
  '';

  run =
    name: phases:
    stdenvNoCC.mkDerivation (
      {
        name = "frontend${name}";
        src = lib.fileset.toSource {
          root = ../.;
          fileset = lib.fileset.unions [
            (lib.fileset.difference ../frontend (
              lib.fileset.unions [
                (lib.fileset.maybeMissing ../frontend/node_modules)
                (lib.fileset.maybeMissing ../frontend/dist)
              ]
            ))
            ../docs/openapi.yaml # of which the types of the API's client are made
            ../project/config/settings/parts/security.py # for a test of the policy
            # Tailwind scans templates and Python for class names.
            ../project/templates
            (lib.fileset.fileFilter (file: file.hasExt "py" || file.hasExt "html") ../project/apps)
            (lib.fileset.fileFilter (file: file.hasExt "py" || file.hasExt "html") ../project/dovetail)
          ];
        };
        nativeBuildInputs = [ nodejs ];
        CI = "true"; # no progress bars
        postUnpack = ''
          export HOME=$TMPDIR
          sourceRoot=$sourceRoot/frontend
          # copied, because Vite writes the paths of symlinked files into its manifest
          cp -r --no-preserve=ownership ${modules}/node_modules $sourceRoot
          chmod -R u+w $sourceRoot/node_modules
        '';
        dontFixup = true;
      }
      // phases
    );
in
{
  inherit modules;
  dist = run "" {
    buildPhase = "npm run build";
    installPhase = "mv dist $out";
    allowedReferences = [ ];
  };
  checks = run "-checks" {
    buildPhase = ''
      ${staticBiome}
      npm run check
    '';
    installPhase = "touch $out";
  };
  tests = run "-tests" {
    buildPhase = "npm test";
    installPhase = "touch $out";
  };

  writeRecord = writeShellApplication {
    name = "write-npm-record";
    runtimeInputs = [ nodejs ];
    text = ''
      out=$(mktemp -d)
      trap 'rm -rf "$out"' EXIT
      node ${./npm-tarballs.mjs} ${writeText "npm-wanted.json" wantedJSON} "$out"
      hash=$(nix --extra-experimental-features nix-command hash path "$out")
      printf '{\n  "wanted": "%s",\n  "hash": "%s"\n}\n' ${wantedDigest} "$hash" >nix/npm-tarballs.json
    '';
  };
}
