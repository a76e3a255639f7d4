# frontend/dist, its checks and its tests, offline, with the packages that package-lock.json pins.
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
  # What a supported machine could install; npm looks at nothing else.
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

  # The lock records integrity but no addresses, so npm itself fetches by name and version. Nix would
  # take an old folder for a new lock, or report two hashes: the record says first that it is stale.
  tarballs =
    if record.wanted != wantedDigest then
      throw "frontend/package-lock.json has changed since nix/npm-tarballs.json was written: run `nix run .#update` and commit the result."
    else
      stdenvNoCC.mkDerivation {
        name = "dovetail-npm-tarballs";
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
    name = "dovetail-node-modules";
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

  # biome's own build for Linux needs the dynamic loader of an ordinary system; this one is static.
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
        name = "dovetail-frontend${name}";
        src = lib.fileset.toSource {
          root = ../.;
          fileset = lib.fileset.unions [
            (lib.fileset.difference ../frontend (
              lib.fileset.unions [
                (lib.fileset.maybeMissing ../frontend/node_modules)
                (lib.fileset.maybeMissing ../frontend/dist)
              ]
            ))
            # Tailwind takes the names of classes from templates and from Python.
            ../project/templates
            (lib.fileset.fileFilter (file: file.hasExt "py" || file.hasExt "html") ../project/apps)
          ];
        };
        nativeBuildInputs = [ nodejs ];
        CI = "true"; # no progress bars
        postUnpack = ''
          export HOME=$TMPDIR
          sourceRoot=$sourceRoot/frontend
          # a copy: Vite writes the places of linked files into its manifest
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
